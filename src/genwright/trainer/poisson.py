"""Rows drawn for privacy: every unit comes with the same chance, whatever the others do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genwright.core.protocols import Batch
from genwright.core.rng import derive_seed


class PoissonRows:
    """The rows of a step. `owners` numbers each row's unit; of a unit that comes, one of its rows is taken by chance.

    So a unit moves a step by one row at most, however many it has. Step n follows from (seed, n) alone.
    """

    def __init__(self, owners: NDArray[np.int64], *, rate: float, seed: int) -> None:
        _, codes, self._sizes = np.unique(owners, return_inverse=True, return_counts=True)
        self._rows = np.argsort(codes, kind="stable")
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._rate, self._seed = rate, seed

    def __len__(self) -> int:
        return len(self._sizes)

    def take(self, step: int) -> NDArray[np.int64]:
        """The numbers of the rows."""
        rng = np.random.default_rng(derive_seed(self._seed, f"draw {step}"))
        come = np.flatnonzero(rng.random(len(self)) < self._rate)
        place = (rng.random(len(come)) * self._sizes[come]).astype(np.int64)
        rows: NDArray[np.int64] = self._rows[self._starts[come] + place]
        return rows

    def drawing(self, rows: Callable[[NDArray[np.int64]], Batch]) -> Callable[[int], Batch | None]:
        """A function of the step that gives those rows as a batch, None where there are none."""

        def draw(step: int) -> Batch | None:
            taken = self.take(step)
            return rows(taken) if len(taken) else None

        return draw
