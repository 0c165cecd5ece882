"""Tuning by preferences: of two answers to a question one is better (DPO, ORPO), or each is good or bad (KTO)."""

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
    """Rows of sequences end to end, with the log-probabilities of their answers before training (nats).

    A row is the chosen and the rejected answer, and where there are three, a chosen one of another question.
    """

    packed: PackedTokens
    reference: Float[Tensor, " n"]
    per_row: int = 2

    def __len__(self) -> int:
        return len(self.packed) // self.per_row


class PreferenceTuning(Tuning):
    """-log sigmoid(beta (gain of the chosen - gain of the rejected)), a gain being log p - log p before training.

    Source: DPO, arXiv:2305.18290, equation 7.
    """

    per_row = 2

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


class OddsTuning(Tuning):
    """Nats per token of the chosen answer, less `weight` times log sigmoid of its log odds above the other's.

    Source: ORPO, arXiv:2403.07691, equations 6 and 7; odds are of the geometric mean of an answer's tokens.
    """

    per_row = 2

    def __init__(self, net: Transformer, *, weight: float) -> None:
        super().__init__(net)
        self.weight = weight

    def losses(self, batch: Pairs, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The mean over the pairs, and the share of pairs whose chosen answer is likelier."""
        del clock
        nats, above = self._parts(batch)
        loss = (nats - self.weight * functional.logsigmoid(above)).mean()
        yield PART, loss, {"loss": loss.detach(), "preferred": (above > 0).float().mean()}

    @torch.no_grad()
    def held_out_nats(self, batch: Pairs) -> Float[Tensor, " b"]:
        """The loss of each pair."""
        nats, above = self._parts(batch)
        return nats - self.weight * functional.logsigmoid(above)

    def _parts(self, batch: Pairs) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        sums = per_sequence(self.target_log_prob(batch.packed), batch.packed)
        sizes = per_sequence(torch.ones(int(batch.packed.counted.sum()), device=sums.device), batch.packed)
        mean = (sums / sizes).clamp(max=-1e-6)  # of a certain answer the odds have no end
        odds = mean - torch.log(-torch.expm1(mean))
        return -mean[::2], odds[::2] - odds[1::2]


class GoodOrBadTuning(Tuning):
    """Answers that are good are to gain above what answers gain anyway, bad ones to lose below it.

    What they gain anyway is the mean gain of answers to other questions, at least 0 and without a gradient.
    Source: KTO, arXiv:2402.01306, equations 7 and 8.
    """

    per_row = 3

    def __init__(self, net: Transformer, *, beta: float, bad: float) -> None:
        super().__init__(net)
        self.beta, self.bad = beta, bad

    def losses(self, batch: Pairs, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The mean over the answers, and the share of pairs whose chosen answer gained more."""
        del clock
        gains = self._gains(batch)
        loss = self._values(gains).mean()
        yield PART, loss, {"loss": loss.detach(), "preferred": (gains[::3] > gains[1::3]).float().mean()}

    @torch.no_grad()
    def held_out_nats(self, batch: Pairs) -> Float[Tensor, " b"]:
        """The loss of each pair."""
        return self._values(self._gains(batch))

    def _gains(self, batch: Pairs) -> Float[Tensor, " n"]:
        return per_sequence(self.target_log_prob(batch.packed), batch.packed) - batch.reference

    def _values(self, gains: Tensor) -> Float[Tensor, " b"]:
        anyway = gains[2::3].detach().mean().clamp(min=0.0)
        good = 1.0 - torch.sigmoid(self.beta * (gains[::3] - anyway))
        bad = 1.0 - torch.sigmoid(self.beta * (anyway - gains[1::3]))
        return (good + self.bad * bad) / 2
