"""Masked diffusion over cells with ids of their own (columns of a table), by one perceptron over the whole row.

Source: MDLM, arXiv:2406.07524. Its bound, with the number of masks uniform, is the loss of autoregression in any order
(arXiv:2110.02037, equation 5): the net and its training are the same, and samples are filled in at random places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cell_net import TrainedInAnyOrder
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.filling import fill_in, odds_of
from genwright.families.requests import asked, known_cells, uniform
from genwright.nets.backbones import MlpConfig


class MaskedCells(TrainedInAnyOrder):
    """p(x) by filling in masked cells, in any order."""

    def __init__(self, config: DiffusionConfig, *, shape: TokenShape) -> None:
        assert isinstance(config.net, MlpConfig), "resolve() first"
        width, num_layers = config.net.sizes()
        super().__init__(shape, width=width, num_layers=num_layers, dropout=config.net.dropout)
        self.config = config

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The bound averaged over `likelihood_points` evenly spread numbers of masked cells; the same at every call."""
        return Bound(-nats_over_masks(self.mean_unknown, batch, points=self.config.likelihood_points), "lower")

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
        """`n` rows, or completions of `given` wherever cells are unknown.

        Cells are filled in in a random order of each row, evenly over `steps`; as many steps as cells, the default,
        fill in one at a time.

        Raises:
            CapabilityError: arguments that do not fit.
        """
        device = self.known_embedding.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells), device=device)
        odds = odds_of(self, cond=told, guidance=guidance)
        filled = fill_in(odds, ids, known, steps=steps, temperature=temperature, rng=rng)
        return Tokens(filled, cond=told)


def nats_over_masks(
    mean_unknown: Callable[[Tokens, Tensor, Tensor], Tensor], batch: Tokens, *, points: int
) -> Float[Tensor, " b"]:
    """An upper bound on the nats of each row; `mean_unknown` as of `CellNet`."""
    rng = torch.Generator().manual_seed(0)
    count, cells = batch.ids.shape
    device = batch.ids.device
    shift = uniform((count,), rng=rng, device=device)
    total = torch.zeros(count, dtype=torch.float64, device=device)
    for point in range(points):
        num_known = ((point + shift) / points * cells).long().clamp_max(cells - 1)[:, None]
        rank = uniform((count, cells), rng=rng, device=device).argsort(1).argsort(1)
        total += mean_unknown(batch, rank, num_known).double() * cells
    return total / points
