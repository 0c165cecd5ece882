"""A mixture of products of categoricals over a fixed layout of cells: a second's fit, and an exact likelihood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.latent_class_config import LatentClassConfig
from genwright.families.requests import check_numbers, choose, draw, known_cells

BLOCK_ROWS = 8192


class LatentClass:
    """p(x) = sum_k w_k prod_c p_k(x_c), by expectation maximisation from random responsibilities.

    Source: latent class analysis, Lazarsfeld & Henry 1968; the updates are those of Dempster, Laird & Rubin 1977.
    """

    def __init__(self, config: LatentClassConfig, *, shape: TokenShape) -> None:
        if not shape.cells:
            raise CapabilityError(
                "family 'latent-class' needs a fixed layout of cells", hint="choose another train.family"
            )
        self.config, self.shape = config, shape
        self._weights = torch.zeros(config.num_classes, dtype=torch.float64)
        self._logits = torch.zeros(shape.vocab_size, config.num_classes, dtype=torch.float64)

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """Class weights, and the shares of every cell's ids within each class (kept as logarithms)."""
        ids = torch.cat([batch.ids for batch in batches])
        for turn in range(self.config.num_rounds):
            self._round(ids, rng=rng if turn == 0 else None)

    def _round(self, ids: Int[Tensor, "n c"], *, rng: torch.Generator | None) -> None:
        """Expectation and maximisation, a block of rows at a time; with `rng` from random responsibilities."""
        weights, counts = torch.zeros_like(self._weights), torch.zeros_like(self._logits)
        for block in torch.split(ids, BLOCK_ROWS):
            if rng is None:
                share = self._joint(block).softmax(1)
            else:
                share = torch.rand(len(block), self.config.num_classes, generator=rng, dtype=torch.float64) ** 4
                share = share / share.sum(1, keepdim=True)
            weights += share.sum(0)
            for cell in range(block.shape[1]):
                counts.index_add_(0, block[:, cell], share)
        self._weights = ((weights + 1.0) / (len(ids) + len(weights))).log()
        for first, count in self.shape.cells:
            cell_counts = counts[first : first + count] + self.config.smoothing / count
            self._logits[first : first + count] = (cell_counts / cell_counts.sum(0)).log()

    def _joint(self, ids: Int[Tensor, "n c"], known: Tensor | None = None) -> Float[Tensor, "n k"]:
        """log w_k + sum of log p_k over the (known) cells."""
        total = self._weights.expand(len(ids), -1).clone()
        for cell in range(ids.shape[1]):
            found = self._logits[ids[:, cell]]
            total += found if known is None else found * known[:, cell, None]
        return total

    def state(self) -> Mapping[str, Tensor]:
        """Log-weights and log-shares."""
        return {"weights": self._weights, "logits": self._logits}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        self._weights, self._logits = state["weights"], state["logits"]

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row."""
        return Bound(self._joint(batch.ids).logsumexp(1), "exact")

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
        """`n` rows; given cells stay, and choose the class.

        Raises:
            CapabilityError: a condition or a number of steps is asked for.
        """
        check_numbers(n, steps=steps, temperature=temperature)
        if cond is not None or guidance != 1.0 or steps is not None:
            raise CapabilityError("a latent-class mixture takes no condition and no steps", hint="use --given")
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells))
        chosen = choose(self._joint(ids, known), rng=rng)
        for cell, (first, count) in enumerate(self.shape.cells):
            logits = self._logits[first : first + count, chosen].T
            drawn = draw(logits, temperature=temperature, rng=rng) + first
            ids[:, cell] = torch.where(known[:, cell], ids[:, cell], drawn)
        return Tokens(ids)
