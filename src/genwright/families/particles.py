"""Rows drawn cell after cell in several copies, weighted by how likely each made the cells that are given."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genwright.families.requests import choose


class Particles:
    """`copies` of each row. Source: sequential importance resampling, Doucet & Johansen 2009, section 3.5.

    Exact in the limit of many copies; where the given cells are the first ones, one copy is exact.
    """

    def __init__(self, ids: Int[Tensor, "n p"], known: Bool[Tensor, "n p"], *, copies: int) -> None:
        first = torch.arange(ids.shape[1], device=ids.device) < known.sum(1, keepdim=True)
        self.copies = 1 if torch.equal(known, first) else copies
        self.ids, self._known = (rows.repeat_interleave(self.copies, 0) for rows in (ids, known))
        self._weights = torch.zeros(len(ids), self.copies, dtype=torch.float64, device=ids.device)

    def place(
        self,
        cell: int,
        drawn: Int[Tensor, " m"],
        log_shares: Float[Tensor, "m c"],
        *,
        first: int,
        rng: torch.Generator | None,
    ) -> None:
        """Puts in what was drawn, or what is given; the cell's ids begin with `first`, and `log_shares` are theirs."""
        held = self._known[:, cell]
        self.ids[:, cell] = torch.where(held, self.ids[:, cell], drawn)
        if self.copies > 1 and bool(held.any()):
            likely = log_shares.gather(1, self.ids[:, cell : cell + 1] - first)[:, 0]
            self._weights += torch.where(held, likely, 0.0).view_as(self._weights)
            self._resample(rng)

    def _resample(self, rng: torch.Generator | None) -> None:
        """Copies drawn again by their weights, for rows in which these count for less than half of them."""
        poor = 1.0 / self._weights.softmax(1).square().sum(1) < self.copies / 2
        if not bool(poor.any()):
            return
        chosen = choose(self._weights[:, None].expand(-1, self.copies, -1), rng=rng)
        kept = torch.where(poor[:, None], chosen, torch.arange(self.copies, device=chosen.device))
        rows = kept + self.copies * torch.arange(len(kept), device=kept.device)[:, None]
        self.ids = self.ids[rows.flatten()]
        self._weights = torch.where(poor[:, None], 0.0, self._weights)

    def finish(self, *, rng: torch.Generator | None) -> Int[Tensor, "n p"]:
        """One copy of each row."""
        if self.copies == 1:
            return self.ids
        chosen = choose(self._weights, rng=rng)
        return self.ids.view(len(chosen), self.copies, -1)[torch.arange(len(chosen), device=chosen.device), chosen]
