"""Direct preference optimisation: of two answers to a question the better one gains over the worse one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.tuning import PART, Tuning, per_sequence
from genwright.nets.transformer import Transformer


@dataclass(frozen=True)
class Pairs:
    """Chosen and rejected sequences in turn, end to end, with their log-probabilities before training (nats)."""

    packed: PackedTokens
    reference: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.packed) // 2


class PreferenceTuning(Tuning):
    """-log sigmoid(beta (gain of the chosen - gain of the rejected)), a gain being log p - log p before training.

    Source: DPO, arXiv:2305.18290, equation 7.
    """

    def __init__(self, net: Transformer, *, beta: float) -> None:
        super().__init__(net)
        self.beta = beta

    def losses(self, batch: Pairs, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The mean over the pairs, and the share of pairs whose chosen answer gained more."""
        del clock
        margins = self._margins(batch)
        loss = -functional.logsigmoid(margins).mean()
        yield PART, loss, {"loss": loss.detach(), "preferred": (margins > 0).float().mean()}

    @torch.no_grad()
    def held_out_nats(self, batch: Pairs) -> Float[Tensor, " b"]:
        """The loss of each pair."""
        return -functional.logsigmoid(self._margins(batch))

    def _margins(self, batch: Pairs) -> Float[Tensor, " b"]:
        gains = per_sequence(self.target_log_prob(batch.packed), batch.packed) - batch.reference
        return self.beta * (gains[::2] - gains[1::2])
