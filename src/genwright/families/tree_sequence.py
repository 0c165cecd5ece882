"""Rows as a sequence of cells, each drawn from the leaves of trees on the cells before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genwright.families.particles import Particles
from genwright.families.requests import draw
from genwright.nets.trees import TREE_PARTS, Tree, grow
from genwright.nets.trees_config import TreesConfig

COPIES = 16


class TreeSequence:
    """p(row) as the product over the cells, in the order given, of the mean shares of that cell's trees."""

    def __init__(self, cells: Sequence[tuple[int, int]], trees: Sequence[Sequence[Tree]]) -> None:
        self.cells, self.trees = cells, trees

    @classmethod
    def grown(
        cls, ids: Int[Tensor, "n p"], cells: Sequence[tuple[int, int]], config: TreesConfig, *, rng: torch.Generator
    ) -> TreeSequence:
        """`config.num_trees` trees for each cell, each on a random share of the rows."""
        seed = int(torch.randint(2**31, (), generator=rng))
        trees: list[list[Tree]] = []
        for place, (first, count) in enumerate(cells):
            chosen = (_some(ids, config.share, rng=rng) for _ in range(config.num_trees))
            own = ((rows[:, :place], rows[:, place] - first) for rows in chosen)
            trees.append([grow(before, values, config, count=count, seed=seed) for before, values in own])
        return cls(cells, trees)

    def state(self) -> dict[str, Tensor]:
        """The nodes of every tree."""
        return {
            f"{place:04d}.{number:03d}.{name}": value
            for place, trees in enumerate(self.trees)
            for number, tree in enumerate(trees)
            for name, value in vars(tree).items()
        }

    @classmethod
    def restored(cls, cells: Sequence[tuple[int, int]], state: Mapping[str, Tensor], *, num_trees: int) -> TreeSequence:
        """What `state` gave."""
        trees = [
            [Tree(*(state[f"{place:04d}.{number:03d}.{name}"] for name in TREE_PARTS)) for number in range(num_trees)]
            for place in range(len(cells))
        ]
        return cls(cells, trees)

    def log_shares(self, place: int, ids: Int[Tensor, "n p"]) -> Float[Tensor, "n c"]:
        """Log-shares of the ids of the cell at that place, given the cells before: the mean over its trees."""
        each = [tree(ids) for tree in self.trees[place]]
        return each[0] if len(each) == 1 else torch.stack(each).logsumexp(0) - math.log(len(each))

    def log_prob(self, ids: Int[Tensor, "n p"]) -> Float[Tensor, " n"]:
        """The log-likelihood of each row."""
        total = torch.zeros(len(ids), dtype=torch.float64)
        for place, (first, _) in enumerate(self.cells):
            total += self.log_shares(place, ids).gather(1, ids[:, place : place + 1] - first)[:, 0]
        return total

    def fill(
        self,
        ids: Int[Tensor, "n p"],
        known: Bool[Tensor, "n p"],
        *,
        temperature: float,
        rng: torch.Generator | None,
    ) -> Int[Tensor, "n p"]:
        """Rows whose known cells stay. Where these are not the first ones, 16 rows are tried for each."""
        rows = Particles(ids, known, copies=COPIES)
        for place, (first, _) in enumerate(self.cells):
            shares = self.log_shares(place, rows.ids)
            rows.place(place, draw(shares, temperature=temperature, rng=rng) + first, shares, first=first, rng=rng)
        return rows.finish(rng=rng)


def _some(ids: Int[Tensor, "n p"], share: float, *, rng: torch.Generator) -> Int[Tensor, "m p"]:
    """A random share of the rows; all as they stand where it is 1."""
    if share == 1.0:
        return ids
    return ids[torch.randperm(len(ids), generator=rng)[: max(1, round(share * len(ids)))]]
