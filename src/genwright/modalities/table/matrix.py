"""Rows as matrices: for classifiers, for distances, and for correlations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.modalities.table.columns import RESERVED, is_category, numbers_of, texts_of

BLOCK = 256


def columns_of(rows: pa.Table, /) -> pa.Table:
    """The sample's own columns."""
    return rows.select([name for name in rows.column_names if name not in RESERVED])


def codes_of(columns: list[pa.ChunkedArray], /, *, most: int = 200) -> list[NDArray[np.float64]]:
    """One column of several tables as the same numbers of categories; the rare beyond `most` share one, null is NaN."""
    counts: dict[str, int] = {}
    for column in columns:
        for value in texts_of(column):
            if value is not None:
                counts[value] = counts.get(value, 0) + 1
    kept = sorted(counts, key=lambda value: (-counts[value], value))[: most - 1]
    index = {value: at for at, value in enumerate(kept)}
    return [
        np.array([np.nan if value is None else index.get(value, len(kept)) for value in texts_of(column)])
        for column in columns
    ]


def matrices(tables: list[pa.Table], /, *, without: str | None = None) -> tuple[list[NDArray[np.float64]], list[bool]]:
    """Each table as numbers (n, d), categories coded alike, and which columns are categories. NaN is missing."""
    names = [name for name in columns_of(tables[0]).column_names if name != without]
    parts: list[list[NDArray[np.float64]]] = [[] for _ in tables]
    flags = []
    for name in names:
        columns = [table.column(name) for table in tables]
        flags.append(is_category(columns[0]))
        encoded = codes_of(columns) if flags[-1] else [numbers_of(column) for column in columns]
        for part, values in zip(parts, encoded, strict=True):
            part.append(values)
    return [np.stack(part, axis=1) for part in parts], flags


def distances(rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distance of every row to the nearest of `reference`, and which that is (the first of equals).

    Euclidean over columns: numbers by the reference's deviation, categories and missing cells 0 or 1.
    """
    (a, b), flags = matrices([rows, reference])
    scale = np.where(flags, 1.0, np.nan_to_num(np.nanstd(b, axis=0), nan=1.0))
    scale[scale == 0.0] = 1.0
    # A category, or a missing cell, becomes entries that lie 1 apart where they differ.
    left, right = _metric(a, flags, scale, b), _metric(b, flags, scale, b)
    found = np.empty(len(a)), np.empty(len(a), dtype=np.int64)
    squares = (right**2).sum(1)
    for at in range(0, len(left), BLOCK):
        block = left[at : at + BLOCK]
        gaps = (block**2).sum(1)[:, None] + squares - 2.0 * block @ right.T
        found[1][at : at + BLOCK] = gaps.argmin(1)
        found[0][at : at + BLOCK] = np.sqrt(np.maximum(gaps.min(1), 0.0))
    return found


def _metric(
    x: NDArray[np.float64], flags: list[bool], scale: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    parts = []
    for place, category in enumerate(flags):
        column = x[:, place]
        missing = np.isnan(column)
        parts.append(missing[:, None] * 0.5**0.5)
        if category:
            width = int(np.nan_to_num(np.nanmax(reference[:, place], initial=0.0), nan=0.0)) + 2
            codes = np.clip(np.nan_to_num(column, nan=width - 1), 0, width - 1).astype(np.int64)
            parts.append(np.eye(width)[codes] * (0.5**0.5))
        else:
            centre = np.nan_to_num(np.nanmean(reference[:, place]) if len(reference) else 0.0, nan=0.0)
            parts.append((np.where(missing, centre, column) / scale[place])[:, None])
    return np.concatenate(parts, axis=1)
