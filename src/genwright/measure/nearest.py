"""The nearest row of a reference set."""

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError

Floats = NDArray[np.float64]
Vectors = NDArray[np.floating]

BLOCK = 1 << 22  # products held at a time: 32 MB


def nearest_rows(rows: Vectors, reference: Vectors, /) -> tuple[Floats, NDArray[np.int64]]:
    """(Euclidean distance [n] to the nearest row of `reference` [m, d], its number [n]) for each of `rows` [n, d].

    The nearest is found by matrix products; its distance is then summed over coordinates, so that a copy lies at
    exactly 0. Among rows that are nearest to within rounding, the first is not always the one named.

    Raises:
        DataError: the widths differ or the reference has no rows.
    """
    if rows.ndim != 2 or reference.ndim != 2 or rows.shape[1] != reference.shape[1] or not len(reference):
        raise DataError(
            f"nearest_rows needs two matrices of one width and a reference, but got {rows.shape} and {reference.shape}"
        )
    # Centred, for the products lose digits where all rows lie far from the origin.
    centre = np.asarray(reference, dtype=np.float64).mean(axis=0)
    x, y = rows - centre, reference - centre
    squares, number = np.square(y).sum(axis=1), np.empty(len(x), dtype=np.int64)
    size = max(1, BLOCK // len(y))
    for start in range(0, len(x), size):
        number[start : start + size] = (squares - 2 * (x[start : start + size] @ y.T)).argmin(axis=1)
    away = np.asarray(rows, dtype=np.float64) - np.asarray(reference, dtype=np.float64)[number]
    return np.sqrt(np.square(away).sum(axis=1)), number
