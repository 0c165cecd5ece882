"""Decision trees that give the shares of a cell's ids from the cells before it.

Source: Breiman et al. 1984; what leaves hold is counted, as in synthpop (Nowok, Raab & Dibben 2016,
doi:10.18637/jss.v074.i11).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.nets.trees_config import TreesConfig

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


TREE_PARTS = tuple(field.name for field in fields(Tree))


def splitter(count: int, *, min_leaf: int, seed: int) -> Any:
    """What splits on a cell of so many ids: by class where they are few, else by the spread of their ids."""
    # A second to import, and only growing needs it.
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # type: ignore[import-untyped]

    kind = DecisionTreeClassifier if count <= MOST_CLASSES else DecisionTreeRegressor
    return kind(min_samples_leaf=min_leaf, random_state=seed)


def grow(before: Int[Tensor, "n p"], own: Int[Tensor, " n"], config: TreesConfig, *, count: int, seed: int) -> Tree:
    """The tree that tells `own`, ids from 0 to `count` - 1, from the cells before; these count as numbers."""
    if not before.shape[1] or bool((own == own[0]).all()):
        shares = _log_shares(own, torch.zeros_like(own), 1, count, config.smoothing)
        none = [torch.tensor([-1]) for _ in range(3)]
        return Tree(none[0], torch.zeros(1, dtype=torch.float64), none[1], none[2], shares)
    table = before.numpy().astype("float32")
    found = splitter(count, min_leaf=config.min_leaf, seed=seed).fit(table, own.numpy()).tree_
    leaf = torch.from_numpy(found.apply(table).astype("int64"))
    cell, left, right = (
        torch.from_numpy(x.astype("int64")) for x in (found.feature, found.children_left, found.children_right)
    )
    shares = _log_shares(own, leaf, found.node_count, count, config.smoothing)
    return Tree(torch.where(left < 0, -1, cell), torch.from_numpy(found.threshold.copy()), left, right, shares)


def _log_shares(own: Tensor, leaf: Tensor, nodes: int, count: int, smoothing: float) -> Float[Tensor, "m c"]:
    """What rows of each leaf hold, smoothed by what all hold, and that by one row spread over all ids."""
    whole = torch.bincount(own, minlength=count).double() + 1.0 / count
    held = torch.zeros(nodes, count, dtype=torch.float64)
    held.index_put_((leaf, own), torch.ones(len(own), dtype=torch.float64), accumulate=True)
    held += smoothing * whole / whole.sum()
    return (held / held.sum(1, keepdim=True)).log()
