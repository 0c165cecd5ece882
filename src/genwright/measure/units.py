"""From a scores table to independent units: rows chosen, gaps dropped, clusters summed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError, Derivation
from genwright.measure.scores import Columns

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The rows a derivation uses: one array per role, and the cluster number of each row."""

    values: Mapping[str, Floats]
    clusters: NDArray[np.int64]
    num_clusters: int

    def __len__(self) -> int:
        return len(self.clusters)

    def cluster_sums(self, values: Floats, /) -> Floats:
        """Sums by cluster, in order of first appearance; the values themselves where every row is its own cluster."""
        if self.num_clusters == len(self):
            return values
        sums = np.bincount(self.clusters, weights=values, minlength=self.num_clusters)
        return sums.astype(np.float64)


def select_rows(columns: Columns, /, *, derivation: Derivation) -> Rows:
    """The rows that match `where` and have every used column.

    Raises:
        DataError: a column is missing from the table, or holds what is not a number.
    """
    used = {role: _column(columns, name) for role, name in derivation.columns.items()}
    where = [(_column(columns, name), value) for name, value in derivation.where.items()]
    names = _column(columns, derivation.cluster) if derivation.cluster else None
    length = len(next(iter(columns.values()))) if columns else 0
    kept = [
        row
        for row in range(length)
        if all(cells[row] == value for cells, value in where)
        and all(cells[row] is not None for cells in used.values())
        and (names is None or names[row] is not None)
    ]
    values = {role: _numbers([cells[row] for row in kept], derivation.columns[role]) for role, cells in used.items()}
    clusters, count = _cluster_numbers([names[row] for row in kept] if names is not None else range(len(kept)))
    return Rows(values, clusters, count)


def _column(columns: Columns, name: str) -> Sequence[Any]:
    if name not in columns:
        raise DataError(f"the scores table has no column '{name}'; it has {', '.join(sorted(columns))}")
    return columns[name]


def _numbers(cells: list[Any], name: str) -> Floats:
    for cell in cells:
        if isinstance(cell, str):
            raise DataError(f"column '{name}' holds the text {cell!r}; a derivation needs numbers there")
    return np.array(cells, dtype=np.float64)


def _cluster_numbers(names: Sequence[Any]) -> tuple[NDArray[np.int64], int]:
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    return codes, len(numbers)
