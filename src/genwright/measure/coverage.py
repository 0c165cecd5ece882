"""Precision, recall, density and coverage of a set of feature vectors, per row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance  # type: ignore[import-untyped]

from genwright.core import DataError

Floats = NDArray[np.float64]
Vectors = NDArray[np.floating]

BLOCK = 1 << 22  # distances held at a time: 32 MB


@dataclass(frozen=True)
class Neighbourhoods:
    """Columns for a scores table, whose means are the four metrics.

    `precision` (0 or 1) and `density` (0 or more; 1 on average for real rows) are per generated row, `recall` and
    `coverage` (0 or 1) per real row.
    """

    precision: list[int]
    density: list[float]
    recall: list[int]
    coverage: list[int]


def neighbourhoods(real: Vectors, generated: Vectors, /, *, k: int = 5) -> Neighbourhoods:
    """Who lies in whose neighbourhood: the ball around a row that reaches its k-th nearest other row of its own set.

    Precision: a generated row lies in the ball of some real row. Density: in how many such balls, over k. Recall: a
    real row lies in the ball of some generated row. Coverage: the ball of a real row holds some generated row.
    `real` is [n, d], `generated` [m, d], distances Euclidean. All but density depend on n and m: compare at equal ones.
    Source: Kynkäänniemi et al. 2019 (arXiv:1904.06991), Naeem et al. 2020 (arXiv:2002.09797).

    Raises:
        DataError: the widths differ, or a set has no more than k rows.
    """
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise DataError(f"neighbourhoods need two matrices of one width, but got {real.shape} and {generated.shape}")
    if min(len(real), len(generated)) <= k:
        raise DataError(
            f"neighbourhoods of {k} need more than {k} rows of each set; there are "
            f"{len(real)} real and {len(generated)} generated"
        )
    x, y = np.asarray(real, dtype=np.float64), np.asarray(generated, dtype=np.float64)
    reach_real, reach_generated = _reach(x, k), _reach(y, k)
    balls, recalled, covered = np.empty(len(y)), np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for rows, away in _distances(y, x):
        in_real = away <= reach_real
        balls[rows] = in_real.sum(axis=1)
        covered |= in_real.any(axis=0)
        recalled |= (away <= reach_generated[rows, None]).any(axis=0)
    return Neighbourhoods(
        (balls > 0).astype(int).tolist(),
        (balls / k).tolist(),
        recalled.astype(int).tolist(),
        covered.astype(int).tolist(),
    )


def _reach(rows: Floats, k: int) -> Floats:
    """The squared distance of each row to its k-th nearest other row."""
    found = np.empty(len(rows))
    for block, away in _distances(rows, rows):
        away[np.arange(len(away)), np.arange(block.start, block.start + len(away))] = np.inf
        found[block] = np.partition(away, k - 1, axis=1)[:, k - 1]
    return found


def _distances(rows: Floats, others: Floats) -> Iterator[tuple[slice, Floats]]:
    """Squared distances, a block of `rows` at a time; summed over coordinates, so that equal rows lie at exactly 0."""
    size = max(1, BLOCK // len(others))
    for start in range(0, len(rows), size):
        yield slice(start, start + size), distance.cdist(rows[start : start + size], others, "sqeuclidean")
