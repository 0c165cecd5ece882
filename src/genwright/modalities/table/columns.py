"""What the train split says of each column: its type, its common values, the grid that its numbers lie on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import time
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError

RESERVED = ("id", "group")
HOLDERS = 3  # so many groups must hold a value, or lie in a range, for it to stand for itself
SPIKE_SHARE = 0.01
SPIKE_TIMES = 4.0  # as frequent as the median value: below that all values are alike
MOST_SPIKES = 16
MOST_DECIMALS = 6
EXCEPTIONS = 0.005  # share of a column's values that may have more decimals than the others
FINEST = 2**40  # steps that a number without a grid of its own is cut into
WIDEST = 2.0**50  # the largest range, in steps, that is counted exactly
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TYPES: Mapping[str, pa.DataType] = {
    "int64": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "date32[day]": pa.date32(),
    "timestamp[us]": pa.timestamp("us"),
    "time64[us]": pa.time64("us"),
}
TIME_OF_DAY = "time64[us]"
KINDS: Mapping[str, str] = {
    "int64": "whole number",
    "double": "number",
    "string": "text",
    "bool": "truth value, true or false",
    "date32[day]": "date such as 2024-05-31",
    "timestamp[us]": "point in time such as 2024-05-31 14:30:00",
    TIME_OF_DAY: "time of day such as 14:30",
}
LAST_OF_DAY = 86_400_000_000 - 1  # microseconds


def is_category(cells: pa.ChunkedArray, /) -> bool:
    """Whether a column holds texts or truth values."""
    return bool(pa.types.is_string(cells.type) or pa.types.is_boolean(cells.type) or pa.types.is_null(cells.type))


def numbers_of(cells: pa.ChunkedArray, /) -> Floats:
    """The column as numbers, missing ones NaN.

    Dates are days since 1970, points in time microseconds since then, times of day microseconds since midnight.
    """
    if pa.types.is_date32(cells.type):
        cells = cells.cast(pa.int32())
    elif pa.types.is_timestamp(cells.type) or pa.types.is_time64(cells.type):
        cells = cells.cast(pa.int64())
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def from_whole(whole: Integers, kind: pa.DataType, /, *, missing: NDArray[np.bool_]) -> pa.Array:
    """Whole numbers as cells of that type, the other way round; a time of day stays within its day."""
    if pa.types.is_time64(kind):
        whole = np.clip(whole, 0, LAST_OF_DAY)
    cells = pa.array(whole, pa.int64(), mask=missing)
    return cells.cast(pa.int32()).cast(kind) if pa.types.is_date32(kind) else cells.cast(kind)


def _times_of_day(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of day, of texts too, which Arrow casts to no time."""
    if not pa.types.is_string(cells.type):
        return cells.cast(TYPES[TIME_OF_DAY])
    found = [cell and time.fromisoformat(cell) for cell in cells.to_pylist()]
    return pa.chunked_array([pa.array(found, TYPES[TIME_OF_DAY])])


def texts_of(cells: pa.ChunkedArray, /) -> list[str | None]:
    """The cells of a category as texts."""
    found: list[str | None] = cells.cast(pa.string()).to_pylist()
    return found


@dataclass(frozen=True)
class Grid:
    """Numbers as whole steps: step k stands for (origin + k * step) / 10**decimals. Without decimals nothing rounds."""

    origin: float
    step: float
    decimals: int | None

    @classmethod
    def of(cls, values: Floats, /, *, whole: bool) -> Self:
        """The coarsest grid that `values` (sorted, different) lie on; 2^-40 of their range where there is none."""
        decimals = 0 if whole else _decimals(values)
        spread = float(values[-1] - values[0])
        if decimals is None:
            return cls(float(values[0]), spread / FINEST or 1.0, None)
        units = np.rint(values * 10.0**decimals)
        span = float(units[-1] - units[0])
        if span > WIDEST:
            return cls(float(units[0]), span / WIDEST, decimals)
        return cls(float(units[0]), float(np.gcd.reduce((units - units[0]).astype(np.int64)) or 1), decimals)

    def steps(self, values: Floats, /) -> Integers:
        """The step nearest to each value; 0 for NaN."""
        units = values * 10.0 ** (self.decimals or 0)
        return np.rint(np.nan_to_num((units - self.origin) / self.step)).astype(np.int64)

    def values(self, steps: Integers, /) -> Floats:
        """The value of each step."""
        units = self.origin + steps * self.step
        if self.decimals is None:
            return np.asarray(units)
        return np.round(units / 10.0**self.decimals, self.decimals)


@dataclass(frozen=True)
class Column:
    """A column of the train split.

    A category, or a number of few values, lists them in `levels`; `other` says that rarer ones were left out. A richer
    number has a `grid`, and its `spikes` are the values, 16 at most, that at least 1 % of the
    known cells hold each, and four times as many as hold the median value. `missing` says that
    some cell was null; `commonest` is the place of the most frequent level.
    """

    name: str
    type: str
    levels: tuple[Any, ...] = ()
    other: bool = False
    missing: bool = False
    commonest: int = 0
    grid: Grid | None = None
    spikes: tuple[float, ...] = ()

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of its cells."""
        return TYPES[self.type]

    @property
    def category(self) -> bool:
        """Whether cells are texts or truth values."""
        return self.type in ("string", "bool")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self:
        """What `to_json` gave."""
        grid = body["grid"] and Grid(**body["grid"])
        return cls(**{**body, "levels": tuple(body["levels"]), "spikes": tuple(body["spikes"]), "grid": grid})

    def cells_of(self, rows: pa.Table, /) -> pa.ChunkedArray:
        """The column's cells of `rows` in its own type.

        Raises:
            DataError: the column is not there, or a cell is of another type.
        """
        if self.name not in rows.column_names:
            raise DataError(f"the rows have no column '{self.name}'")
        cells = rows.column(self.name)
        try:
            return _times_of_day(cells) if self.type == TIME_OF_DAY else cells.cast(TYPES[self.type])
        except (pa.ArrowException, ValueError) as error:
            raise DataError(
                f"a cell of column '{self.name}' is no {KINDS[self.type]} ({error})", hint="correct the cell"
            ) from None

    def places(self, cells: pa.ChunkedArray, /) -> Integers:
        """The place of each cell in `levels`: -1 where it is missing, the number of levels where it is none of them.

        A number that is no level goes to the nearest one.
        """
        if self.category:
            index: dict[str | None, int] = {value: at for at, value in enumerate(self.levels)}
            index[None] = -1
            return np.array([index.get(text, len(self.levels)) for text in texts_of(cells)], dtype=np.int64)
        numbers = numbers_of(cells)
        if not self.levels:
            return np.where(np.isnan(numbers), -1, 0)
        levels = np.array(self.levels, dtype=np.float64)
        between = (levels[1:] + levels[:-1]) / 2
        return np.where(np.isnan(numbers), -1, np.searchsorted(between, np.nan_to_num(numbers), side="left"))

    def from_places(self, places: Integers, /) -> pa.Array:
        """Cells of those `places`; those that are no level's are null."""
        outside = (places < 0) | (places >= len(self.levels))
        if self.category:
            values = (*self.levels, None)
            texts = [values[place] for place in np.where(outside, len(self.levels), places).tolist()]
            return pa.array(texts, pa.string()).cast(TYPES[self.type])
        levels = np.array((*self.levels, 0.0), dtype=np.float64)
        return self.from_numbers(levels[np.where(outside, len(self.levels), places)], missing=outside)

    def from_numbers(self, numbers: Floats, /, *, missing: NDArray[np.bool_]) -> pa.Array:
        """Numbers as cells of the column's type."""
        if self.type == "double":
            return pa.array(numbers, pa.float64(), mask=missing)
        whole = np.rint(np.clip(np.nan_to_num(numbers), -(2.0**62), 2.0**62)).astype(np.int64)
        return from_whole(whole, TYPES[self.type], missing=missing)


def describe(
    table: pa.Table, /, *, groups: Integers, most_values: int, most_categories: int, whole: Container[str] = ()
) -> tuple[Column, ...]:
    """Every column besides `id` and `group`; numbers of at most `most_values` list them, texts the most frequent.

    A text that fewer than three groups hold is not listed, or made rows could name someone. Of the columns `whole` all
    texts are listed.

    Raises:
        DataError: there is no column, or one of a type that is not read.
    """
    names = [name for name in table.column_names if name not in RESERVED]
    if not names:
        raise DataError("the table has no column besides id and group", hint="look at data.sources columns")
    return tuple(
        _category(name, table.column(name), None if name in whole else (groups, most_categories))
        if is_category(table.column(name))
        else _number(name, table.column(name), most_values)
        for name in names
    )


def shared(texts: Sequence[str | None], groups: Integers, /) -> list[str]:
    """The texts that at least three groups hold, the most frequent first."""
    counts = Counter(text for text in texts if text is not None)
    holders = Counter(text for text, _ in set(zip(texts, groups.tolist(), strict=True)))
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    return [text for text in ranked if holders[text] >= HOLDERS]


def _category(name: str, cells: pa.ChunkedArray, bound: tuple[Integers, int] | None) -> Column:
    """`bound`: the group of each row, and how many texts are listed at most; None lists all."""
    kind = "bool" if pa.types.is_boolean(cells.type) else "string"
    texts = texts_of(cells)
    counts = Counter(text for text in texts if text is not None)
    kept = sorted(counts)
    if bound is not None and kind == "string":
        groups, most = bound
        kept = sorted(shared(texts, groups)[:most])
    commonest = max(range(len(kept)), key=lambda at: counts[kept[at]], default=0)
    return Column(name, kind, tuple(kept), len(kept) < len(counts), cells.null_count > 0, commonest)


def _number(name: str, cells: pa.ChunkedArray, most: int) -> Column:
    kind = str(cells.type)
    if kind not in TYPES:
        raise DataError(f"column '{name}' is of type {kind}, which the table codecs do not read")
    numbers = numbers_of(cells)
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    missing, commonest = cells.null_count > 0, int(counts.argmax()) if len(counts) else 0
    if len(values) <= most:
        return Column(name, kind, tuple(values.tolist()), False, missing, commonest)
    most_frequent = np.argsort(-counts, kind="stable")[: min(MOST_SPIKES, len(values) // 2)]
    least = max(SPIKE_SHARE * float(counts.sum()), SPIKE_TIMES * float(np.median(counts)))
    spikes = np.sort(values[most_frequent[counts[most_frequent] >= least]])
    grid = Grid.of(values, whole=kind != "double")
    return Column(name, kind, missing=missing, grid=grid, spikes=tuple(spikes.tolist()))


def _decimals(values: Floats) -> int | None:
    """The fewest decimals that values are written with, but for one in 200; None beyond 6, or where they are too large.

    A single computed value among measured ones would else take the decimals of all.
    """
    if not math.isfinite(float(np.abs(values).max())):
        raise DataError("a number is infinite", hint="leave such rows out; the data stage drops them as not-finite")
    for decimals in range(MOST_DECIMALS + 1):
        if np.abs(values).max() * 10.0**decimals > WIDEST:
            return None
        if (np.abs(values - np.round(values, decimals)) > 1e-9).mean() <= EXCEPTIONS:
            return decimals
    return None
