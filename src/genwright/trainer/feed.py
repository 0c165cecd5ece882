"""Rows as tensors on the training device."""

from __future__ import annotations

from typing import Literal

import torch

from genwright.core.protocols import Tokens
from genwright.trainer.data import Rows


class TokenFeed:
    """Batches of packed token rows."""

    unit: Literal["token", "sample"] = "token"

    def __init__(self, rows: Rows, *, device: str) -> None:
        self.row_units = rows.row_tokens
        self._rows = rows
        self._device = torch.device(device)

    def take(self, first: int, /, *, count: int) -> Tokens:
        """Rows first .. first + count - 1 of the whole training."""
        ids = torch.from_numpy(self._rows.take(first, count=count))
        if self._device.type == "cuda":
            return Tokens(ids.pin_memory().to(self._device, non_blocking=True))
        return Tokens(ids)
