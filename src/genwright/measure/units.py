"""From a scores table to independent units: rows chosen, gaps dropped, clusters summed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError, Derivation
from genwright.measure.arrays import Arrays
from genwright.measure.roles import ARRAYS, OF_CATEGORIES
from genwright.measure.scores import Columns

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The rows a derivation uses: one array per role, the cluster number of each row, and its features [n, d].

    A role of categories (see `genwright.measure.roles`) holds their numbers in order of first appearance.
    """

    values: Mapping[str, Floats]
    clusters: Integers
    num_clusters: int
    features: Floats | None = None

    def __len__(self) -> int:
        return len(self.clusters)

    def cluster_sums(self, values: Floats, /) -> Floats:
        """Sums by cluster, in order of first appearance; the values themselves where every row is its own cluster."""
        if self.num_clusters == len(self):
            return values
        sums = np.bincount(self.clusters, weights=values, minlength=self.num_clusters)
        return sums.astype(np.float64)

    def take(self, kept: Integers, /) -> "Rows":
        """The rows numbered `kept`, in that order."""
        clusters, count = _numbered(self.clusters[kept].tolist())
        features = None if self.features is None else self.features[kept]
        return Rows({role: cells[kept] for role, cells in self.values.items()}, clusters, count, features)


def select_rows(columns: Columns, /, *, derivation: Derivation, arrays: Arrays | None = None) -> Rows:
    """The rows that match `where` and have every used column, with the features that the estimator needs.

    Raises:
        DataError: a column or an array is missing, a column holds what is not a number, or an array has other rows.
    """
    beside = ARRAYS.get(derivation.estimator, ())
    used = {role: _column(columns, name) for role, name in derivation.columns.items() if role not in beside}
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
    values = {role: _cells([cells[row] for row in kept], derivation, role) for role, cells in used.items()}
    clusters, count = _numbered([names[row] for row in kept] if names is not None else range(len(kept)))
    found = [_features(arrays, derivation.columns.get(role, role), length) for role in beside]
    if len({array.shape[1] for array in found}) > 1:
        raise DataError(f"the arrays of {derivation.estimator} have unlike widths: {[one.shape[1] for one in found]}")
    features = np.concatenate([one[kept].astype(np.float64) for one in found], axis=1) if found else None
    return Rows(values, clusters, count, features)


def _features(arrays: Arrays | None, name: str, num_rows: int) -> NDArray[np.float32]:
    if arrays is None:
        raise DataError(f"the derivation needs the array '{name}', but no arrays lie beside this scores table")
    try:
        found = arrays(name)
    except KeyError as error:
        raise DataError(f"no array '{name}' lies beside the scores table") from error
    if len(found) != num_rows:
        raise DataError(f"array '{name}' has {len(found)} rows, but the scores table beside it has {num_rows}")
    return found


def _column(columns: Columns, name: str) -> Sequence[Any]:
    if name not in columns:
        raise DataError(f"the scores table has no column '{name}'; it has {', '.join(sorted(columns))}")
    return columns[name]


def _cells(cells: list[Any], derivation: Derivation, role: str) -> Floats:
    if role == "part" or (role == "value" and derivation.estimator in OF_CATEGORIES):
        return _numbered(cells)[0].astype(np.float64)
    return _numbers(cells, derivation.columns[role])


def _numbers(cells: list[Any], name: str) -> Floats:
    for cell in cells:
        if isinstance(cell, str):
            raise DataError(f"column '{name}' holds the text {cell!r}; a derivation needs numbers there")
    return np.array(cells, dtype=np.float64)


def _numbered(names: Sequence[Any]) -> tuple[Integers, int]:
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    return codes, len(numbers)
