"""Engines that look at some of the vectors: what they name is compared exactly, and filters lose nothing."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from genwright.nets.encoder.protocol import Matrix
from genwright.systems.retrieval.config import SCANNED
from genwright.systems.retrieval.engine import Found, Mask, best_rows
from genwright.systems.retrieval.exact import ExactEngine

MOST_ASKED = 10_000


class Nearest(Protocol):
    """Rows near a vector, most of the nearest among them. Raises `ConnectionError` where it is elsewhere and gone."""

    def nearest(self, query: Matrix, /, *, limit: int) -> list[int]: ...
    def close(self) -> None: ...


class ApproximateEngine:
    """Candidates of another engine, with their exact cosines.

    Under a filter that leaves few rows, or that hides most of what is near, those that it leaves are scanned.
    """

    def __init__(self, exact: ExactEngine, candidates: Nearest, /) -> None:
        self.exact, self._candidates = exact, candidates

    @property
    def matrix(self) -> Matrix:
        """All vectors."""
        return self.exact.matrix

    def search(self, query: Matrix, /, *, limit: int, mask: Mask | None) -> Found:
        """The best rows that count."""
        if mask is None:
            return self._compared(query, self._candidates.nearest(query, limit=limit), limit)
        num_left = int(mask.sum())
        asked = int(1.5 * limit * len(mask) / max(1, num_left)) + limit
        if num_left < SCANNED or asked > MOST_ASKED:
            return self.exact.search(query, limit=limit, mask=mask)
        rows = [row for row in self._candidates.nearest(query, limit=asked) if mask[row]]
        if len(rows) < min(limit, num_left):
            return self.exact.search(query, limit=limit, mask=mask)
        return self._compared(query, rows, limit)

    def _compared(self, query: Matrix, rows: list[int], limit: int) -> Found:
        ordered = np.array(sorted(set(rows)), dtype=np.int64)
        return best_rows(self.matrix[ordered] @ query, ordered, limit=limit)

    def close(self) -> None:
        """Lets go of the other engine."""
        self._candidates.close()
