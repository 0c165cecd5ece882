"""Autoregression over a fixed layout of cells in any order: each cell given any others."""

from __future__ import annotations

from typing import Any

import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cell_net import TrainedInAnyOrder
from genwright.families.config import AutoregressiveConfig
from genwright.families.filling import fill_in, odds_of
from genwright.families.requests import asked, known_cells


class AnyOrder(TrainedInAnyOrder):
    """One net predicts every unknown cell from the known ones; which are known is drawn anew for each row.

    Each order is a model with an exact likelihood; `log_prob` is that of the layout's. Samples mix the orders, one
    drawn for each row, which shows less of what any single one has not learnt.
    """

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        assert config.cell_width and config.cell_layers, "resolve() first"
        super().__init__(shape, width=config.cell_width, num_layers=config.cell_layers, dropout=config.dropout)
        self.config = config

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row, cell after cell in the order of the layout."""
        return Bound(-self.in_layout_order(batch.ids, batch.cond).sum(1), "exact")

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Any = None,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Tokens:
        """`n` rows: cells that are given stay, the others are drawn one after another, each row in an order of its own.

        Raises:
            CapabilityError: arguments that do not fit; `steps` is asked for, and there are as many as unknown cells.
        """
        if steps is not None:
            raise CapabilityError("this family draws each cell once; it takes no number of steps")
        device = self.known_embedding.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells), device=device)
        odds = odds_of(self, cond=told, guidance=guidance)
        filled = fill_in(odds, ids, known, steps=None, temperature=temperature, rng=rng)
        return Tokens(filled, cond=told)
