"""Rows as matrices: for classifiers, for distances, and for correlations."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.measure.nearest import nearest_rows
from genwright.modalities.table.columns import RESERVED, is_category, numbers_of, texts_of
from genwright.modalities.table.rules import Rules

HALF = 0.5**0.5


def columns_of(rows: pa.Table, /) -> pa.Table:
    """The sample's own columns, without keys, which say nothing of it."""
    hidden = {*RESERVED, *Rules.of(rows).keys}
    return rows.select([name for name in rows.column_names if name not in hidden])


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


def distances(
    rows: pa.Table, reference: pa.Table, /, *, scale: pa.Table | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distance of every row to the nearest of `reference`, and which that is.

    Euclidean over columns: numbers by the deviation of `scale` (of the reference where it is None), categories and
    missing cells 0 or 1.
    """
    left, right, *_ = metric_entries(rows, reference, *([] if scale is None else [scale]))
    return nearest_rows(left, right)


def metric_entries(*tables: pa.Table) -> list[NDArray[np.float64]]:
    """Each table as (n, entries), such that rows lie apart by the distance; numbers by the deviation of the last."""
    found, flags = matrices(list(tables))
    # A column of which the last table holds no number has no deviation.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        centre, scale = (np.nan_to_num(of(found[-1], axis=0)) for of in (np.nanmean, np.nanstd))
    scale[(scale == 0.0) | flags] = 1.0
    codes = [
        int(np.nan_to_num(np.concatenate([x[:, at] for x in found]), nan=0.0).max(initial=0.0))
        for at in range(len(flags))
    ]
    return [_metric(x, flags, centre, scale, codes) for x in found]


def _metric(
    x: NDArray[np.float64],
    flags: list[bool],
    centre: NDArray[np.float64],
    scale: NDArray[np.float64],
    codes: list[int],
) -> NDArray[np.float64]:
    """A category, or a missing cell, becomes entries that lie 1 apart where they differ."""
    parts = []
    for place, category in enumerate(flags):
        column = x[:, place]
        missing = np.isnan(column)
        if category:
            width = codes[place] + 2
            chosen = np.nan_to_num(column, nan=width - 1).astype(np.int64)
            parts.append(np.eye(width)[chosen] * HALF)
        else:
            # A missing number stands in the middle: half of the squared 1 comes from each of two entries.
            parts.append(np.stack((missing * HALF, ~missing * HALF), axis=1))
            parts.append((np.where(missing, 0.0, column - centre[place]) / scale[place])[:, None])
    return np.concatenate(parts, axis=1)
