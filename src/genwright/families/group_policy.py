"""Reinforcement learning on rewards that a rule gives: answers are drawn in groups and compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.answers import Drawing, draw_answers
from genwright.families.tuning import PART, Tuning
from genwright.nets.transformer import Transformer

Verify = Callable[[int, Sequence[Sequence[int]]], Sequence[float]]
LEAST_DEVIATION = 1e-4


@dataclass(frozen=True)
class Questions:
    """Questions as tokens, with their numbers in the data."""

    numbers: tuple[int, ...]
    ids: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.numbers)


class GroupPolicy(Tuning):
    """Answers better than their group's mean become likelier, others less likely; a reference holds the net back.

    Source: GRPO, arXiv:2402.03300, equations 3 and 4 with one step per draw, where the ratio is 1 and clips nothing.
    """

    def __init__(
        self, net: Transformer, *, reference: Transformer, verify: Verify, drawing: Drawing, kl: float
    ) -> None:
        super().__init__(net)
        self.reference = reference.requires_grad_(False)
        self.drawing, self.kl, self._verify = drawing, kl, verify

    def losses(self, batch: Questions, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The loss of freshly drawn answers; what is logged is the share of them that is wrong."""
        del clock
        seeds = torch.randint(0, 2**62, (len(batch) * self.drawing.size,)).tolist()
        answers = draw_answers(self.net, self.drawing, questions=batch.ids, seeds=seeds)
        rewards = self._rewards(batch, answers)
        loss = self._loss(batch, answers, _advantages(rewards))
        yield PART, loss, {"loss": 1.0 - rewards.mean()}

    @torch.no_grad()
    def held_out_nats(self, batch: Questions) -> Float[Tensor, " b"]:
        """1 for each question whose likeliest answer is wrong."""
        answers = draw_answers(self.net, self.drawing.greedy(), questions=batch.ids, seeds=[0] * len(batch))
        return 1.0 - self._rewards(batch, answers)[:, 0]

    def _rewards(self, batch: Questions, answers: list[list[tuple[int, ...]]]) -> Float[Tensor, "b g"]:
        found = [self._verify(number, group) for number, group in zip(batch.numbers, answers, strict=True)]
        return torch.tensor(found, dtype=torch.float32)

    def _loss(
        self, batch: Questions, answers: list[list[tuple[int, ...]]], advantages: Float[Tensor, "b g"]
    ) -> Float[Tensor, ""]:
        rows = [(ids, answer) for ids, group in zip(batch.ids, answers, strict=True) for answer in group]
        packed = _packed(rows, device=self.net.embed_tokens.weight.device)
        log_prob = self.target_log_prob(packed)
        with torch.no_grad():
            before = self.target_log_prob(packed, self.reference)
        apart = before - log_prob
        sizes = torch.tensor([len(answer) for _, answer in rows], device=log_prob.device)
        gain = torch.repeat_interleave(advantages.flatten().to(log_prob.device), sizes)
        per_token = (log_prob - log_prob.detach()).exp() * gain - self.kl * (apart.exp() - apart - 1.0)
        weights = torch.repeat_interleave(1.0 / sizes, sizes) / len(rows)
        loss: Tensor = -(per_token * weights).sum()
        return loss


def _advantages(rewards: Float[Tensor, "b g"]) -> Float[Tensor, "b g"]:
    """How far each reward is from its group's mean, in its standard deviations; 0 where all are alike."""
    deviation = rewards.std(1, keepdim=True, correction=0)
    return (rewards - rewards.mean(1, keepdim=True)) / deviation.clamp_min(LEAST_DEVIATION)


def _packed(rows: Sequence[tuple[Sequence[int], Sequence[int]]], *, device: torch.device) -> PackedTokens:
    """Questions with their answers end to end; the answers count."""
    whole = [(*question, *answer) for question, answer in rows]
    counted = [place >= len(q) for (q, _), one in zip(rows, whole, strict=True) for place in range(1, len(one))]
    return PackedTokens(
        torch.tensor([token for one in whole for token in one[:-1]], device=device),
        torch.tensor([token for one in whole for token in one[1:]], device=device),
        torch.tensor(counted, device=device),
        tuple(len(one) - 1 for one in whole),
        sum(counted) / len(rows),
    )
