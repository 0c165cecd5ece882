"""All vectors compared with the question: nothing is missed. The matrix lies in a file that is read as memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from genwright.nets.encoder.protocol import Matrix
from genwright.systems.retrieval.engine import Found, Mask, best_rows

NAME = "vectors.f32"


def write_matrix(path: Path, vectors: Iterable[bytes], /) -> None:
    """The vectors one after another."""
    with path.open("wb") as handle:
        for vector in vectors:
            handle.write(vector)


class ExactEngine:
    """Cosines with every row."""

    def __init__(self, path: Path, /, *, d: int) -> None:
        self._matrix: Matrix = np.memmap(path, dtype="<f4", mode="r").reshape(-1, d)

    @property
    def matrix(self) -> Matrix:
        """All vectors."""
        return self._matrix

    def search(self, query: Matrix, /, *, limit: int, mask: Mask | None) -> Found:
        """The best rows that count."""
        if mask is None:
            return best_rows(self.matrix @ query, None, limit=limit)
        rows = np.flatnonzero(mask)
        if len(rows) * 2 < len(self.matrix):
            return best_rows(self.matrix[rows] @ query, rows, limit=limit)
        return best_rows((self.matrix @ query)[rows], rows, limit=limit)
