"""Learning answers while texts of another kind are read again, so that the net keeps what it was."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.distilled import linear_divergence
from genwright.families.tuning import PART, SupervisedTuning
from genwright.nets.lora import without_adapters
from genwright.nets.loss import linear_cross_entropy
from genwright.nets.transformer import Transformer

Towards = Literal["base", "text"]


@dataclass(frozen=True)
class Rehearsed:
    """Answers to learn, and stretches of text to keep: `share` of one for each answer, in the mean of many batches."""

    answers: PackedTokens
    stretches: PackedTokens | None
    share: float

    def __len__(self) -> int:
        return len(self.answers)


class RehearsedTuning(SupervisedTuning):
    """Nats of the answers, and `weight` times what the stretches lost per token.

    `towards = "base"`: the divergence from what the net said of them before it moved. "text": their nats, as if they
    were to be learned. The net as it was is this one without its adapters, or `base` where it has none.
    Source: rehearsal, Robins 1995; towards the model's own output, Li & Hoiem 2016 (arXiv:1606.09282), section 3.
    """

    def __init__(self, net: Transformer, *, towards: Towards, weight: float, base: Transformer | None = None) -> None:
        super().__init__(net)
        # In a tuple it is no part of the family: it is not trained, saved or moved.
        self._base = () if base is None else (base.eval().requires_grad_(False),)
        self.towards, self.weight = towards, weight

    def losses(  # type: ignore[override]
        self, batch: Rehearsed, clock: Clock
    ) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats per learned token of the whole split, and the loss of the stretches per token of theirs."""
        ((_, answers, _),) = super().losses(batch.answers, clock)
        if batch.stretches is None:
            kept = answers.new_zeros(())
        else:
            kept = self._lost(batch.stretches) / (len(batch) * batch.share * batch.stretches.mean_counted)
        loss = answers + self.weight * kept
        yield PART, loss, {"loss": answers.detach(), "rehearsal": kept.detach()}

    def _lost(self, stretches: PackedTokens) -> Tensor:
        hidden, weight, targets = self.counted(stretches)
        if self.towards == "text":
            return linear_cross_entropy(hidden, weight, None, targets, None) * len(targets)
        with torch.no_grad(), without_adapters(self.net):
            before, head, _ = self.counted(stretches, *self._base)
        return linear_divergence(hidden, weight, before, head, temperature=1.0)
