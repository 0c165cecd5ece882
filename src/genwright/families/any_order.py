"""Autoregression over a fixed layout of cells in any order: each cell given any others."""

from __future__ import annotations

from typing import Any

import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cell_net import TrainedInAnyOrder
from genwright.families.config import AutoregressiveConfig
from genwright.families.requests import asked, draw, known_cells


class AnyOrder(TrainedInAnyOrder):
    """One net predicts every unknown cell from the known ones; which are known is drawn anew for each row.

    `log_prob` is the exact likelihood in the order of the layout, which is the order that samples are drawn in.
    """

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        assert config.cell_width and config.cell_layers, "resolve() first"
        super().__init__(shape, width=config.cell_width, num_layers=config.cell_layers)
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
        """`n` rows: cells that are given stay, the others are drawn one after another.

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
        for cell in range(ids.shape[1]):
            logits = self.own(cell, self.scores(ids, known, told))
            if guidance != 1.0:
                logits = torch.lerp(self.own(cell, self.scores(ids, known, None)), logits, guidance)
            drawn = draw(logits, temperature=temperature, rng=rng)
            ids[:, cell] = torch.where(known[:, cell], ids[:, cell], drawn + self.shape.cells[cell][0])
            known[:, cell] = True
        return Tokens(ids, cond=told)
