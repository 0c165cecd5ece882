"""Masked diffusion over columns by trees: each cell from any others, known or not (arXiv:2407.05593)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.filling import fill_in
from genwright.families.masked_cells import nats_over_masks
from genwright.families.requests import asked, known_cells
from genwright.nets.masked_trees import PARTS, MaskedTrees, grow_masked
from genwright.nets.trees_config import MaskedTreesConfig


class UnmaskingTrees:
    """p(x) by filling in masked cells, in any order; trees that saw masked copies of the rows say with what."""

    def __init__(self, config: DiffusionConfig, *, shape: TokenShape) -> None:
        assert isinstance(config.net, MaskedTreesConfig), "resolve() first"
        self.config, self.shape, self.net = config, shape, config.net
        self._cells: list[MaskedTrees] = []

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """The trees of each cell."""
        ids = torch.cat([batch.ids for batch in batches]).cpu()
        self._cells = [grow_masked(ids, at, self.net, cell=cell, rng=rng) for at, cell in enumerate(self.shape.cells)]

    def state(self) -> Mapping[str, Tensor]:
        """The trees of every cell."""
        return {
            f"{at:04d}.{name}": value for at, trees in enumerate(self._cells) for name, value in vars(trees).items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        count = len(self.shape.cells)
        self._cells = [MaskedTrees(**{name: state[f"{at:04d}.{name}"] for name in PARTS}) for at in range(count)]

    def log_prob(self, batch: Tokens) -> Bound:
        """The bound averaged over `likelihood_points` evenly spread numbers of masked cells; the same at every call."""
        points = self.config.likelihood_points
        return Bound(-nats_over_masks(self._mean_unknown, Tokens(batch.ids.cpu()), points=points), "lower")

    def _mean_unknown(
        self, batch: Tokens, rank: Int[Tensor, "b p"], num_known: Int[Tensor, "b 1"]
    ) -> Float[Tensor, " b"]:
        """Mean nats per unknown cell of each row, the first `num_known` by `rank` known."""
        known = rank < num_known
        nats = torch.zeros(len(known), dtype=torch.float64)
        for cell, (first, _) in enumerate(self.shape.cells):
            row = (~known[:, cell]).nonzero()[:, 0]
            shares = self._cells[cell](batch.ids[row], known[row])
            nats[row] -= shares.gather(1, batch.ids[row, cell, None] - first)[:, 0].log()
        return nats / (~known).sum(1)

    def _odds(self, ids: Tensor, known: Tensor, row: Tensor, place: Tensor) -> Tensor:
        odds = torch.full((len(row), self.shape.vocab_size), -torch.inf, dtype=torch.float64)
        for cell, (first, count) in enumerate(self.shape.cells):
            here = (place == cell).nonzero()[:, 0]
            odds[here, first : first + count] = self._cells[cell](ids[row[here]], known[row[here]]).log()
        return odds

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

        Cells are filled in in a random order of each row, evenly over `steps`; by default one at a time.

        Raises:
            CapabilityError: arguments that do not fit.
        """
        device = torch.device("cpu")
        asked(self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device)
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells))
        return Tokens(fill_in(self._odds, ids, known, steps=steps, temperature=temperature, rng=rng))
