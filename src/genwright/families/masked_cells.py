"""Masked diffusion over cells with ids of their own (columns of a table), by one perceptron over the whole row.

Source: MDLM, arXiv:2406.07524. Its bound, with the number of masks uniform, is the loss of autoregression in any order
(arXiv:2110.02037, equation 5): the net and its training are the same, and samples are filled in at random places.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cell_net import TrainedInAnyOrder
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.requests import asked, draw, guided, known_cells, uniform
from genwright.nets.backbones import BackboneConfig


class MaskedCells(TrainedInAnyOrder):
    """p(x) by filling in masked cells, in any order."""

    allowed: Tensor

    def __init__(self, config: DiffusionConfig, *, shape: TokenShape) -> None:
        assert isinstance(config.net, BackboneConfig), "resolve() first"
        width, num_layers = config.net.sizes()
        super().__init__(shape, width=width, num_layers=num_layers)
        self.config = config
        allowed = torch.zeros(len(shape.cells), shape.vocab_size, dtype=torch.bool)
        for place, (first, count) in enumerate(shape.cells):
            allowed[place, first : first + count] = True
        self.register_buffer("allowed", allowed, persistent=False)

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The bound averaged over `likelihood_points` evenly spread numbers of masked cells; the same at every call."""
        rng = torch.Generator().manual_seed(0)
        count, cells = batch.ids.shape
        points, device = self.config.likelihood_points, batch.ids.device
        shift = uniform((count,), rng=rng, device=device)
        total = torch.zeros(count, dtype=torch.float64, device=device)
        for point in range(points):
            num_known = ((point + shift) / points * cells).long().clamp_max(cells - 1)[:, None]
            rank = uniform((count, cells), rng=rng, device=device).argsort(1).argsort(1)
            total += self.mean_unknown(batch, rank, num_known).double() * cells
        return Bound(-total / points, "lower")

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
        device = self.allowed.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells), device=device)
        keys = uniform(ids.shape, rng=rng, device=device).masked_fill(known, 2.0)
        rank, unknown = keys.argsort(1).argsort(1), (~known).sum(1)
        turns = min(int(unknown.max()) if n else 0, steps or ids.shape[1])
        for turn in range(turns):
            low, high = (unknown * at // turns for at in (turn, turn + 1))
            row, place = ((rank >= low[:, None]) & (rank < high[:, None]) & ~known).nonzero(as_tuple=True)
            logits = self._guided(ids, known, told, guidance)[row].masked_fill(~self.allowed[place], -torch.inf)
            ids[row, place] = draw(logits, temperature=temperature, rng=rng)
            known[row, place] = True
        return Tokens(ids, cond=told)

    def _guided(
        self, ids: Int[Tensor, "b p"], known: Tensor, cond: Tensor | None, guidance: float
    ) -> Float[Tensor, "b v"]:
        """Log-probabilities of each cell's values, under the condition."""
        told = self._log_shares(self.scores(ids, known, cond))
        if guidance == 1.0:
            return told
        return guided(self._log_shares(self.scores(ids, known, None)), told, guidance)

    def _log_shares(self, scores: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        parts = [self.own(cell, scores).log_softmax(1) for cell in range(len(self.shape.cells))]
        out = torch.full_like(scores, -torch.inf)
        for (first, count), part in zip(self.shape.cells, parts, strict=True):
            out[:, first : first + count] = part
        return out
