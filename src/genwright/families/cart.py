"""A sequence of decision trees over a fixed layout of cells: the second's fit that is hardest to beat, and leaks.

Source: synthpop, Nowok, Raab & Dibben 2016 (doi:10.18637/jss.v074.i11), with trees as in Breiman et al. 1984. What is
drawn are the values of a leaf's few train rows, so samples lie near train rows: measure membership beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cart_config import CartConfig
from genwright.families.requests import check_numbers, known_cells
from genwright.families.tree_sequence import TreeSequence
from genwright.nets.trees import TREE_PARTS, Tree
from genwright.nets.trees_config import TreesConfig


class Cart:
    """p(x) as the product of p(cell | leaf of the cells before). Ids of a cell count as numbers where trees split."""

    def __init__(self, config: CartConfig, *, shape: TokenShape) -> None:
        if not shape.cells:
            raise CapabilityError("family 'cart' needs a fixed layout of cells", hint="choose another train.family")
        self.config, self.shape = config, shape
        self._sequence = TreeSequence(shape.cells, [])

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """One tree per cell."""
        ids = torch.cat([batch.ids for batch in batches]).cpu()
        trees = TreesConfig(num_trees=1, share=1.0, min_leaf=self.config.min_leaf, smoothing=self.config.smoothing)
        self._sequence = TreeSequence.grown(ids, self.shape.cells, trees, rng=rng)

    def state(self) -> Mapping[str, Tensor]:
        """The nodes of every tree."""
        return {
            f"{cell:04d}.{name}": value
            for cell, (tree,) in enumerate(self._sequence.trees)
            for name, value in vars(tree).items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        cells = self.shape.cells
        trees = [[Tree(*(state[f"{cell:04d}.{name}"] for name in TREE_PARTS))] for cell in range(len(cells))]
        self._sequence = TreeSequence(cells, trees)

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row."""
        return Bound(self._sequence.log_prob(batch.ids), "exact")

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
        """`n` rows, cell after cell; given cells stay. Where they are not the first ones, 16 rows are tried for each.

        Raises:
            CapabilityError: a condition or a number of steps is asked for.
        """
        check_numbers(n, steps=steps, temperature=temperature)
        if cond is not None or guidance != 1.0 or steps is not None:
            raise CapabilityError("a sequence of trees takes no condition and no steps", hint="use --given")
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells))
        return Tokens(self._sequence.fill(ids, known, temperature=temperature, rng=rng))
