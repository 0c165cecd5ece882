"""What searches vectors. Imports no torch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genwright.nets.encoder.protocol import Matrix

Mask = NDArray[np.bool_]
Found = list[tuple[int, float]]
"""Rows with their scores, the best first."""


class VectorEngine(Protocol):
    """Rows whose vectors point where a question's does.

    `mask` says which rows count; None is all of them. An engine that is elsewhere raises `ConnectionError` where it
    does not answer. `matrix` holds all vectors.
    """

    @property
    def matrix(self) -> Matrix: ...

    def search(self, query: Matrix, /, *, limit: int, mask: Mask | None) -> Found: ...


def best_rows(scores: NDArray[np.float32], rows: NDArray[np.int64] | None, /, *, limit: int) -> Found:
    """The rows of the highest scores, the best first; of equal ones the smaller row. `rows` names them (None: 0 on)."""
    limit = min(limit, len(scores))
    if limit == 0:
        return []
    # Equal scores at the border: all that reach it are looked at, so that the choice does not hang on the partition.
    border = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    places = np.flatnonzero(scores >= border)
    chosen = places[np.lexsort((places, -scores[places]))][:limit]
    return [(int(at if rows is None else rows[at]), float(scores[at])) for at in chosen]
