"""A sequence of decision trees over a fixed layout of cells: the second's fit that is hardest to beat, and leaks.

Source: synthpop, Nowok, Raab & Dibben 2016 (doi:10.18637/jss.v074.i11), with trees as in Breiman et al. 1984. What is
drawn are the values of a leaf's few train rows, so samples lie near train rows: measure membership beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.cart_config import CartConfig
from genwright.families.particles import Particles
from genwright.families.requests import check_numbers, draw, known_cells

COPIES = 16
MOST_CLASSES = 12  # cells of more ids are split by the spread of their ids, which have an order where numbers are many


@dataclass(frozen=True)
class Tree:
    """Nodes with the cell that each looks at (-1: a leaf) and its threshold, and the log-shares of ids in each node."""

    cell: Int[Tensor, " m"]
    threshold: Float[Tensor, " m"]
    left: Int[Tensor, " m"]
    right: Int[Tensor, " m"]
    log_shares: Float[Tensor, "m c"]

    def __call__(self, before: Int[Tensor, "n p"]) -> Float[Tensor, "n c"]:
        """Log-shares of the ids, given the cells before."""
        at = torch.zeros(len(before), dtype=torch.long)
        while True:
            cell = self.cell[at]
            if bool((cell < 0).all()):
                return self.log_shares[at]
            value = before.gather(1, cell.clamp_min(0)[:, None])[:, 0]
            further = torch.where(value <= self.threshold[at], self.left[at], self.right[at])
            at = torch.where(cell < 0, at, further)


class Cart:
    """p(x) as the product of p(cell | leaf of the cells before). Ids of a cell count as numbers where trees split."""

    def __init__(self, config: CartConfig, *, shape: TokenShape) -> None:
        if not shape.cells:
            raise CapabilityError("family 'cart' needs a fixed layout of cells", hint="choose another train.family")
        self.config, self.shape = config, shape
        self._trees: list[Tree] = []

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """One tree per cell."""
        ids = torch.cat([batch.ids for batch in batches]).cpu()
        seed = int(torch.randint(2**31, (), generator=rng))
        self._trees = [self._grown(ids, cell, seed=seed) for cell in range(ids.shape[1])]

    def _grown(self, ids: Int[Tensor, "n p"], cell: int, *, seed: int) -> Tree:
        # A second to import, and only fitting needs it.
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # type: ignore[import-untyped]

        first, count = self.shape.cells[cell]
        own = ids[:, cell] - first
        if not cell or bool((own == own[0]).all()):
            none = [torch.tensor([-1]) for _ in range(3)]
            shares = self._log_shares(own, torch.zeros_like(own), 1, count)
            return Tree(none[0], torch.zeros(1, dtype=torch.float64), none[1], none[2], shares)
        kind = DecisionTreeClassifier if count <= MOST_CLASSES else DecisionTreeRegressor
        model = kind(min_samples_leaf=self.config.min_leaf, random_state=seed)
        before = ids[:, :cell].numpy().astype("float32")
        found = model.fit(before, own.numpy()).tree_
        leaf = torch.from_numpy(found.apply(before).astype("int64"))
        cells, left, right = (
            torch.from_numpy(x.astype("int64")) for x in (found.feature, found.children_left, found.children_right)
        )
        shares = self._log_shares(own, leaf, found.node_count, count)
        return Tree(torch.where(left < 0, -1, cells), torch.from_numpy(found.threshold.copy()), left, right, shares)

    def _log_shares(self, own: Tensor, leaf: Tensor, nodes: int, count: int) -> Float[Tensor, "m c"]:
        """What rows of each leaf hold, smoothed by what all hold, and that by one row spread over all ids."""
        whole = torch.bincount(own, minlength=count).double() + 1.0 / count
        held = torch.zeros(nodes, count, dtype=torch.float64)
        held.index_put_((leaf, own), torch.ones(len(own), dtype=torch.float64), accumulate=True)
        held += self.config.smoothing * whole / whole.sum()
        return (held / held.sum(1, keepdim=True)).log()

    def state(self) -> Mapping[str, Tensor]:
        """The nodes of every tree."""
        return {
            f"{cell:04d}.{name}": value for cell, tree in enumerate(self._trees) for name, value in vars(tree).items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        names = ("cell", "threshold", "left", "right", "log_shares")
        self._trees = [Tree(*(state[f"{cell:04d}.{name}"] for name in names)) for cell in range(len(self.shape.cells))]

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row."""
        total = torch.zeros(len(batch.ids), dtype=torch.float64)
        for cell, (first, _) in enumerate(self.shape.cells):
            shares = self._trees[cell](batch.ids)
            total += shares.gather(1, batch.ids[:, cell : cell + 1] - first)[:, 0]
        return Bound(total, "exact")

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
        rows = Particles(ids, known, copies=COPIES)
        for cell, (first, _) in enumerate(self.shape.cells):
            shares = self._trees[cell](rows.ids)
            drawn = draw(shares, temperature=temperature, rng=rng) + first
            rows.place(cell, drawn, shares, first=first, rng=rng)
        return Tokens(rows.finish(rng=rng))
