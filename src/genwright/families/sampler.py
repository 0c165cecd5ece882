"""The one sampler: pure functions from logits to a drawn token, one row per stream, each row with its own settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genwright.families.config import SamplingConfig


@dataclass(frozen=True)
class Controls:
    """The settings of several rows as columns; `ordered` lists the rows that need their tokens sorted."""

    temperature: Float[Tensor, "n 1"]
    top_k: Int[Tensor, "n 1"]
    top_p: Float[Tensor, "n 1"]
    min_p: Float[Tensor, "n 1"]
    penalty: Float[Tensor, "n 1"]
    ordered: Int[Tensor, " m"]
    penalised: bool


def controls_for(rows: Sequence[SamplingConfig], /, *, vocab_size: int, device: torch.device) -> Controls:
    """The columns of those rows."""

    def column(values: Sequence[float | int]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)[:, None]

    return Controls(
        temperature=column([row.temperature for row in rows]),
        top_k=column([row.top_k or vocab_size for row in rows]).long(),
        top_p=column([row.top_p for row in rows]),
        min_p=column([row.min_p for row in rows]),
        penalty=column([row.repetition_penalty for row in rows]),
        ordered=torch.tensor([i for i, row in enumerate(rows) if _truncates(row)], dtype=torch.long, device=device),
        penalised=any(row.repetition_penalty != 1.0 for row in rows),
    )


def _truncates(row: SamplingConfig) -> bool:
    return row.top_k > 0 or row.top_p < 1.0 or row.min_p > 0.0


def draw(
    logits: Float[Tensor, "n v"],
    *,
    controls: Controls,
    seen: Bool[Tensor, "n v"],
    uniforms: Float[Tensor, " n"],
) -> Int[Tensor, " n"]:
    """The token of each row at its uniform number, by the inverse of the distribution function (float64)."""
    scores = logits.double()
    if controls.penalised:
        scores = penalise(scores, seen=seen, penalty=controls.penalty)
    greedy = scores.argmax(-1)
    probabilities = (scores / controls.temperature.clamp(min=1e-6)).softmax(-1)
    drawn = invert(probabilities, uniforms=uniforms)
    rows = controls.ordered
    if len(rows):  # only these rows: how a row is drawn may not depend on its company
        descending, order = probabilities[rows].sort(dim=-1, descending=True, stable=True)
        kept = truncate(descending, top_k=controls.top_k[rows], top_p=controls.top_p[rows], min_p=controls.min_p[rows])
        drawn[rows] = order.gather(1, invert(kept, uniforms=uniforms[rows])[:, None])[:, 0]
    return torch.where(controls.temperature[:, 0] == 0.0, greedy, drawn)


def penalise(
    scores: Float[Tensor, "n v"], *, seen: Bool[Tensor, "n v"], penalty: Float[Tensor, "n 1"]
) -> Float[Tensor, "n v"]:
    """Scores of seen tokens, divided by the penalty where positive and multiplied where negative.

    Source: CTRL, arXiv:1909.05858, section 4.1; the sign rule is the common repair of it.
    """
    return torch.where(seen, torch.where(scores > 0, scores / penalty, scores * penalty), scores)


def truncate(
    ordered: Float[Tensor, "n v"],
    *,
    top_k: Int[Tensor, "n 1"],
    top_p: Float[Tensor, "n 1"],
    min_p: Float[Tensor, "n 1"],
) -> Float[Tensor, "n v"]:
    """Descending probabilities with what top-k, top-p or min-p leaves out at zero; the first always stays.

    Source: nucleus (top-p) arXiv:1904.09751, section 3.1; min-p arXiv:2407.01082, section 3.
    """
    rank = torch.arange(ordered.shape[1], device=ordered.device)
    keep = rank < top_k
    before = ordered.cumsum(-1) - ordered
    keep &= before < top_p
    keep &= ordered >= min_p * ordered[:, :1]
    keep[:, 0] = True
    return ordered * keep


def invert(probabilities: Float[Tensor, "n v"], *, uniforms: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The first index at which the cumulated weight passes `uniforms` of the total."""
    cumulated = probabilities.cumsum(-1)
    targets = uniforms.double() * cumulated[:, -1]
    index = torch.searchsorted(cumulated, targets[:, None], right=True)[:, 0]
    last_with_weight = (probabilities > 0).cumsum(-1).argmax(-1)
    return torch.minimum(index, last_with_weight)
