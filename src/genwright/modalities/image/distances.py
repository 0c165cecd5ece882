"""Distances between pictures, a block of the reference at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwright.measure.nearest import nearest_rows
from genwright.modalities.image.pixels import Levels

ENTRIES_AT_ONCE = 1 << 23  # of the reference, as float64: 64 MB


def nearest_pictures(values: Levels, reference: Levels, /) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distance of each picture (n, c, h, w) to the nearest of `reference` (m, c, h, w), and which that is.

    The root of the mean squared difference over pixels and channels, with levels from 0 to 1.

    Raises:
        DataError: the sizes differ, or the reference is empty.
    """
    rows, others = _flat(values), reference.reshape(len(reference), -1)
    step = max(1, ENTRIES_AT_ONCE // max(others.shape[1], 1))
    best, place = np.full(len(rows), np.inf), np.zeros(len(rows), dtype=np.int64)
    for at in range(0, max(len(others), 1), step):
        gaps, found = nearest_rows(rows, _flat(others[at : at + step]))
        nearer = gaps < best
        best[nearer], place[nearer] = gaps[nearer], found[nearer] + at
    return best / np.sqrt(max(rows.shape[1], 1)), place


def _flat(values: Levels) -> NDArray[np.float32]:
    return np.asarray(values.reshape(len(values), -1), dtype=np.float32) / np.float32(255.0)
