"""Settings of adapters. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core import Config

ALL_LINEAR = "all-linear"


class LoraConfig(Config):
    """Low-rank adapters: which layers have one, of what rank, and how strong.

    `targets` are last names of linear layers (`q_proj`), or `all-linear`: every one but the head. An adapter counts
    `alpha / rank`, or `alpha / sqrt(rank)` with `scaling = "root"` (rsLoRA). `start` is a folder with an adapter in the
    format of peft to go on from; it names rank, targets and strength itself.
    """

    rank: int = Field(default=16, ge=1, le=4096)
    alpha: float = Field(default=32.0, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    scaling: Literal["rank", "root"] = "rank"
    start: str | None = None

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by. Source: arXiv:2106.09685; root: arXiv:2312.03732."""
        return self.alpha / (self.rank**0.5 if self.scaling == "root" else self.rank)
