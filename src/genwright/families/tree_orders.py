"""Autoregression over columns by trees, in many orders: each row is drawn in one of them.

One sequence of trees shows where it has not learnt enough, and lies near its train rows; a mixture of many, each in
another order and on other rows, does so less (docs/notebook.md has the figures). Nets trained on all orders at once are
mixed for the same reason; that trees do well in the place of such a net is known from arXiv:2407.05593.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.families.requests import asked, known_cells
from genwright.families.tree_sequence import TreeSequence
from genwright.nets.trees_config import TreesConfig


class TreeOrders:
    """p(row) as the mean over the orders of the product of p(cell | leaves of the cells before it)."""

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        assert isinstance(config.net, TreesConfig), "resolve() first"
        self.config, self.shape, self.net = config, shape, config.net
        self._orders: list[Int[Tensor, " p"]] = []
        self._sequences: list[TreeSequence] = []

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """The trees of each order; with `order = "layout"` of that one."""
        ids = torch.cat([batch.ids for batch in batches]).cpu()
        count = ids.shape[1]
        if self.config.order == "layout":
            self._orders = [torch.arange(count)]
        else:
            self._orders = [torch.randperm(count, generator=rng) for _ in range(self.net.num_orders)]
        self._sequences = [
            TreeSequence.grown(ids[:, order], self._cells(order), self.net, rng=rng) for order in self._orders
        ]

    def _cells(self, order: Int[Tensor, " p"]) -> list[tuple[int, int]]:
        return [self.shape.cells[cell] for cell in order.tolist()]

    def state(self) -> Mapping[str, Tensor]:
        """The orders, and the nodes of every tree."""
        trees = {
            f"{number:04d}.{name}": value
            for number, sequence in enumerate(self._sequences)
            for name, value in sequence.state().items()
        }
        return {"orders": torch.stack(self._orders), **trees}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        self._orders = list(state["orders"])
        self._sequences = []
        for number, order in enumerate(self._orders):
            start = f"{number:04d}."
            own = {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
            restored = TreeSequence.restored(self._cells(order), own, num_trees=self.net.num_trees)
            self._sequences.append(restored)

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row."""
        ids = batch.ids.cpu()
        each = [sequence.log_prob(ids[:, order]) for order, sequence in zip(self._orders, self._sequences, strict=True)]
        return Bound(torch.stack(each).logsumexp(0) - math.log(len(each)), "exact")

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
        """`n` rows, each in an order of its own; cells that are given stay, and 16 rows are tried where they come late.

        Raises:
            CapabilityError: arguments that do not fit; a condition or a number of steps is asked for.
        """
        if steps is not None:
            raise CapabilityError("trees draw each cell once; they take no number of steps")
        device = torch.device("cpu")
        asked(self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device)
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells))
        chosen = torch.randint(len(self._orders), (n,), generator=rng)
        for number, (order, sequence) in enumerate(zip(self._orders, self._sequences, strict=True)):
            rows = (chosen == number).nonzero()[:, 0]
            filled = sequence.fill(ids[rows][:, order], known[rows][:, order], temperature=temperature, rng=rng)
            ids[rows[:, None], order] = filled
        return Tokens(ids)
