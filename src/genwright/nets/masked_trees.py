"""Decision trees that give the shares of a cell's ids from any of the other cells, known or not.

Source: trees in the place of a net that unmasks, arXiv:2407.05593. A cell that is not known is a missing value,
which each split sends to the side that tells more (Twala, Jones & Hand, Pattern Recognition Letters 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genwright.nets.trees import splitter
from genwright.nets.trees_config import MaskedTreesConfig


@dataclass(frozen=True)
class MaskedTrees:
    """The trees of one cell: the nodes of all of them, and of each leaf the ids that it holds, with their weights.

    `roots` are the trees' first nodes; `cell` is what a node looks at (-1: a leaf, whose number is in `left`), and
    `lost_left` says where a row goes of which that is not known. Leaf `l` holds `ids[starts[l]:starts[l + 1]]`.
    `whole` are the shares in all rows, of which each leaf has `smoothing` rows more.
    """

    roots: Int[Tensor, " b"]
    cell: Int[Tensor, " m"]
    threshold: Float[Tensor, " m"]
    left: Int[Tensor, " m"]
    right: Int[Tensor, " m"]
    lost_left: Bool[Tensor, " m"]
    starts: Int[Tensor, " l"]
    ids: Int[Tensor, " e"]
    weights: Float[Tensor, " e"]
    whole: Float[Tensor, " c"]
    smoothing: Float[Tensor, ""]

    def __call__(self, ids: Int[Tensor, "n p"], known: Bool[Tensor, "n p"]) -> Float[Tensor, "n c"]:
        """Shares of the cell's ids: the mean over the trees."""
        leaf = self._leaves(ids, known).flatten()
        first, size = self.starts[leaf], self.starts[leaf + 1] - self.starts[leaf]
        entry = torch.arange(int(size.sum())) + (first - (size.cumsum(0) - size)).repeat_interleave(size)
        place = torch.arange(len(leaf)).repeat_interleave(size)
        held = self.weights[entry].double()
        total = torch.zeros(len(leaf), dtype=torch.float64).index_add_(0, place, held) + self.smoothing
        shares = torch.zeros(len(ids), len(self.whole), dtype=torch.float64)
        row = place // len(self.roots)
        shares.index_put_((row, self.ids[entry].long()), held / total[place], accumulate=True)
        spread = (self.smoothing / total).view(len(ids), len(self.roots)).sum(1, keepdim=True)
        return (shares + spread * self.whole) / len(self.roots)

    def _leaves(self, ids: Int[Tensor, "n p"], known: Bool[Tensor, "n p"]) -> Int[Tensor, "n b"]:
        at = self.roots.expand(len(ids), -1).long()
        while True:
            cell = self.cell[at].long()
            if bool((cell < 0).all()):
                return self.left[at].long()
            looked = cell.clamp_min(0)
            goes_left = torch.where(
                known.gather(1, looked), ids.gather(1, looked) <= self.threshold[at], self.lost_left[at]
            )
            at = torch.where(cell < 0, at, torch.where(goes_left, self.left[at], self.right[at]).long())


PARTS = tuple(field.name for field in fields(MaskedTrees))


def grow_masked(
    ids: Int[Tensor, "n p"], place: int, config: MaskedTreesConfig, *, cell: tuple[int, int], rng: torch.Generator
) -> MaskedTrees:
    """The trees of the cell at that place, each on copies of the rows of which a random number of cells is known."""
    first, count = cell
    own = ids[:, place] - first
    whole = torch.bincount(own, minlength=count).double() + 1.0 / count
    nodes: dict[str, list[Tensor]] = {name: [] for name in ("cell", "threshold", "left", "right", "lost_left")}
    roots, keys = [], []
    num_nodes = num_leaves = 0
    own = own.repeat_interleave(config.copies)
    for _ in range(config.num_trees):
        table = _masked(ids, place, config.copies, rng=rng).numpy()
        seed = int(torch.randint(2**31, (), generator=rng))
        found = splitter(count, min_leaf=config.min_leaf, seed=seed).fit(table, own.numpy()).tree_
        feature, left, right, lost, at = (
            torch.from_numpy(values.astype("int64"))
            for values in (
                found.feature, found.children_left, found.children_right, found.missing_go_to_left, found.apply(table),
            )
        )  # fmt: skip
        leaf = left < 0
        number = leaf.long().cumsum(0) - 1 + num_leaves
        nodes["cell"].append(torch.where(leaf, -1, feature).short())
        nodes["threshold"].append(torch.from_numpy(found.threshold.astype("float32")))
        nodes["left"].append(torch.where(leaf, number, left + num_nodes).int())
        nodes["right"].append((right + num_nodes).int())
        nodes["lost_left"].append(lost.bool())
        roots.append(num_nodes)
        keys.append(number[at] * count + own)
        num_nodes, num_leaves = num_nodes + len(leaf), num_leaves + int(leaf.sum())
    key, times = torch.unique(torch.cat(keys), return_counts=True)
    return MaskedTrees(
        roots=torch.tensor(roots, dtype=torch.int32),
        **{name: torch.cat(parts) for name, parts in nodes.items()},
        starts=torch.searchsorted(key, torch.arange(num_leaves + 1) * count),
        ids=(key % count).int(),
        weights=times.float() / config.copies,
        whole=whole / whole.sum(),
        smoothing=torch.tensor(config.smoothing, dtype=torch.float64),
    )


def _masked(ids: Int[Tensor, "n p"], place: int, copies: int, *, rng: torch.Generator) -> Float[Tensor, "m p"]:
    """Copies of the rows in which a random number of the other cells is known, from none to all; NaN where not."""
    table = ids.float().repeat_interleave(copies, 0)
    keys = torch.rand(table.shape, generator=rng)
    keys[:, place] = 2.0  # the cell itself comes last, and is never known
    rank = keys.argsort(1).argsort(1)
    num_known = torch.randint(table.shape[1], (len(table), 1), generator=rng)
    return table.masked_fill(rank >= num_known, torch.nan).index_fill(1, torch.tensor([place]), 0.0)
