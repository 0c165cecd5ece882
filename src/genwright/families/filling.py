"""Samples over cells with ids of their own: unknown cells are filled in in a random order of each row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genwright.families.cell_net import CellNet
from genwright.families.requests import draw, guided, uniform

Odds = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Of ids (n, p), which are known (n, p), rows (m) and unknown cells of theirs (m): log-weights of ids, (m, v)."""


@torch.no_grad()
def fill_in(
    odds: Odds,
    ids: Int[Tensor, "n p"],
    known: Bool[Tensor, "n p"],
    *,
    steps: int | None,
    temperature: float,
    rng: torch.Generator | None,
) -> Int[Tensor, "n p"]:
    """`ids` with every cell that is not known drawn, evenly over `steps`; by default one cell of a row at a time."""
    ids, known = ids.clone(), known.clone()
    keys = uniform(ids.shape, rng=rng, device=ids.device).masked_fill(known, 2.0)
    rank, unknown = keys.argsort(1).argsort(1), (~known).sum(1)
    turns = min(int(unknown.max()) if len(ids) else 0, steps or ids.shape[1])
    for turn in range(turns):
        low, high = (unknown * at // turns for at in (turn, turn + 1))
        row, place = ((rank >= low[:, None]) & (rank < high[:, None]) & ~known).nonzero(as_tuple=True)
        ids[row, place] = draw(odds(ids, known, row, place), temperature=temperature, rng=rng)
        known[row, place] = True
    return ids


def odds_of(net: CellNet, *, cond: Float[Tensor, "n k"] | None, guidance: float) -> Odds:
    """Those of a net under a condition."""
    allowed = _allowed(net, net.known_embedding.weight.device)

    def odds(ids: Tensor, known: Tensor, row: Tensor, place: Tensor) -> Tensor:
        return _guided(net, ids, known, cond, guidance)[row].masked_fill(~allowed[place], -torch.inf)

    return odds


def _allowed(net: CellNet, device: torch.device) -> Bool[Tensor, "p v"]:
    """Which ids each cell may hold."""
    allowed = torch.zeros(len(net.shape.cells), net.shape.vocab_size, dtype=torch.bool, device=device)
    for place, (first, count) in enumerate(net.shape.cells):
        allowed[place, first : first + count] = True
    return allowed


def _guided(net: CellNet, ids: Tensor, known: Tensor, cond: Tensor | None, guidance: float) -> Float[Tensor, "n v"]:
    """Log-probabilities of each cell's values, under the condition."""
    told = _log_shares(net, net.scores(ids, known, cond))
    if guidance == 1.0:
        return told
    return guided(_log_shares(net, net.scores(ids, known, None)), told, guidance)


def _log_shares(net: CellNet, scores: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
    out = torch.full_like(scores, -torch.inf)
    for cell, (first, count) in enumerate(net.shape.cells):
        out[:, first : first + count] = net.own(cell, scores).log_softmax(1)
    return out
