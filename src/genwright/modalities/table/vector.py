"""Rows as vectors: numbers made normal, the rest one-hot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from genwright.core.protocols import Representation, VectorColumn, VectorShape
from genwright.modalities.table.columns import Column, Floats, Integers, describe, numbers_of
from genwright.modalities.table.config import VectorConfig
from genwright.modalities.table.layout import ColumnsCodec

SMALLEST_TAIL = 1e-4


@dataclass(frozen=True)
class Stretch:
    """The entries of one column. A rich number has `knots`, values at `shares` of the train split, spikes left out."""

    column: Column
    knots: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    tail: float = SMALLEST_TAIL

    @property
    def options(self) -> int:
        """How many entries the one-hot part has: levels or spikes, and what stands for the rest and for missing."""
        column = self.column
        if column.grid is not None:
            options = 1 + len(column.spikes) + int(column.missing)
            return options if options > 1 else 0
        return max(1, len(column.levels) + int(column.other) + int(column.missing))

    @property
    def width(self) -> int:
        """How many entries there are."""
        return self.options + int(self.column.grid is not None)

    @property
    def parts(self) -> tuple[VectorColumn, ...]:
        """Number first, then the one-hot part, where there are any."""
        name, number = self.column.name, self.column.grid is not None
        parts = [VectorColumn(name, "number")] if number else []
        if self.options:
            parts.append(VectorColumn(f"{name} is" if number else name, "category", self.options))
        return tuple(parts)

    def encode(self, cells: pa.ChunkedArray, /) -> NDArray[np.float32]:
        """(n, number and one-hot part); the number of a spike or a missing cell is 0, the middle."""
        if self.column.grid is None:
            return _one_hot(self._places(cells), self.options)
        numbers = numbers_of(cells)
        options = self._options(numbers)
        share = np.interp(np.nan_to_num(numbers), self.knots, self.shares)
        normal = ndtri(np.clip(share, self.tail, 1.0 - self.tail)) * (options == 0) * ~np.isnan(numbers)
        parts = [normal.astype(np.float32)[:, None]]
        return np.concatenate((*parts, _one_hot(options, self.options)) if self.options else parts, axis=1)

    def _places(self, cells: pa.ChunkedArray) -> Integers:
        """Levels, the rest, missing; what was never seen is taken for the most frequent level."""
        column, places = self.column, self.column.places(cells)
        count = len(column.levels)
        gone = count + int(column.other) if column.missing else column.commonest
        rest = count if column.other else gone
        return np.where(places < 0, gone, np.where(places == count, rest, places)) if count else places * 0

    def _options(self, numbers: Floats) -> Integers:
        """0 for a number, then the spikes, then missing."""
        column = self.column
        assert column.grid is not None
        options, steps = np.zeros(len(numbers), dtype=np.int64), column.grid.steps(numbers)
        for at, spike in enumerate(column.grid.steps(np.array(column.spikes)).tolist()):
            options[steps == spike] = 1 + at
        options[np.isnan(numbers)] = 1 + len(column.spikes) if column.missing else 0
        return options

    def decode(self, values: Floats, /) -> pa.Array:
        """Cells of the column's type: the highest entry, and the number at that share, on the grid."""
        column = self.column
        if column.grid is None:
            return column.from_places(values.argmax(axis=1))
        share = np.clip(ndtr(values[:, 0].astype(np.float64)), self.tail, 1.0 - self.tail)
        share = np.interp(share, (self.tail, 1.0 - self.tail), (0.0, 1.0))
        numbers = column.grid.values(column.grid.steps(np.interp(share, self.shares, self.knots)))
        options = values[:, 1:].argmax(axis=1) if self.options else np.zeros(len(values), dtype=np.int64)
        spikes = np.array((0.0, *column.spikes, 0.0))
        return column.from_numbers(
            np.where(options > 0, spikes[options], numbers), missing=options > len(column.spikes)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self:
        """What `to_json` gave."""
        column = Column.from_json(body["column"])
        return cls(column, tuple(body["knots"]), tuple(body["shares"]), body["tail"])


def _one_hot(places: Integers, width: int) -> NDArray[np.float32]:
    return np.asarray(np.eye(width, dtype=np.float32)[places])


class VectorCodec(ColumnsCodec[Stretch]):
    """Numbers by their train quantiles on a standard normal, texts and few values one-hot.

    What comes back lies on the column's grid. A number lies within its quantile step of what it was; values beyond the
    train split go to its ends. Texts beyond the most frequent share an entry, which comes back as null. A missing cell
    in a column that had none in the train split is taken for the most frequent value, or the median.
    """

    representation: Representation = "vector"
    kind = "table-vector"
    part = Stretch

    @property
    def shape(self) -> VectorShape:
        """One or two stretches per column."""
        return VectorShape(tuple(part for stretch in self._parts for part in stretch.parts))

    @classmethod
    def fit(cls, config: VectorConfig, *, rows: Iterable[pa.Table]) -> Self:
        """Levels, quantiles and grids of the train split.

        Raises:
            DataError: there is no column, or one of a type that is not read.
        """
        tables = list(rows)
        columns = describe(tables, most_values=config.max_levels, most_categories=config.max_categories)
        return cls([_stretch(column, tables, config) for column in columns])


def _stretch(column: Column, tables: Sequence[pa.Table], config: VectorConfig) -> Stretch:
    """Quantiles of what is no spike. A value that spans several of them gets the middle of their shares."""
    if column.grid is None:
        return Stretch(column)
    numbers = np.concatenate([numbers_of(column.cells_of(table)) for table in tables])
    numbers = numbers[~np.isnan(numbers)]
    numbers = np.sort(numbers[~np.isin(numbers, column.spikes)])
    levels = np.linspace(0.0, 1.0, min(config.quantiles, len(numbers)))
    knots, first, count = np.unique(np.quantile(numbers, levels), return_index=True, return_counts=True)
    shares = (levels[first] + levels[first + count - 1]) / 2
    return Stretch(column, tuple(knots.tolist()), tuple(shares.tolist()), max(SMALLEST_TAIL, 0.5 / len(numbers)))
