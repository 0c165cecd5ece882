"""Rows as vectors: numbers made normal, the rest one-hot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from genwright.core.protocols import Representation, VectorColumn, VectorShape
from genwright.modalities.table.atoms import atoms_of, codes_of_groups, digits_of, rounded, within
from genwright.modalities.table.columns import HOLDERS, Column, Floats, Integers, describe, numbers_of
from genwright.modalities.table.config import VectorConfig
from genwright.modalities.table.layout import ColumnsCodec, prepared


@dataclass(frozen=True)
class Stretch:
    """The entries of one column. A rich number has atoms from `lows` to `highs` (steps of its grid); up to the end of
    each lies the share `ends` of the train rows that hold no spike."""

    column: Column
    lows: tuple[int, ...] = ()
    highs: tuple[int, ...] = ()
    ends: tuple[float, ...] = ()
    digits: tuple[int, ...] = ()

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
        normal = self._normal(numbers) * (options == 0) * ~np.isnan(numbers)
        parts = [normal.astype(np.float32)[:, None]]
        return np.concatenate((*parts, _one_hot(options, self.options)) if self.options else parts, axis=1)

    def _normal(self, numbers: Floats) -> Floats:
        """The normal quantile of the share in the middle of each number's atom."""
        assert self.column.grid is not None
        steps = self.column.grid.steps(numbers)
        atom = np.maximum(np.searchsorted(np.array(self.lows), steps, side="right") - 1, 0)
        ends = np.array(self.ends)
        middle = (np.concatenate(([0.0], ends[:-1])) + ends) / 2
        return np.asarray(ndtri(middle[atom]), dtype=np.float64)

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

    def decode(self, values: Floats, places: Floats, /) -> pa.Array:
        """Cells of the column's type: the highest entry, and the atom at that share; of a range, the step at
        that place in it."""
        column = self.column
        if column.grid is None:
            return column.from_places(values.argmax(axis=1))
        atom = np.searchsorted(np.array(self.ends[:-1]), ndtr(values[:, 0].astype(np.float64)), side="right")
        low, high = np.array(self.lows)[atom], np.array(self.highs)[atom]
        numbers = rounded(column.grid.values(within(low, high, places)), self.digits, atom)
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
        return cls(column, *(tuple(body[name]) for name in ("lows", "highs", "ends", "digits")))


def _one_hot(places: Integers, width: int) -> NDArray[np.float32]:
    return np.asarray(np.eye(width, dtype=np.float32)[places])


class VectorCodec(ColumnsCodec[Stretch]):
    """Numbers by their train quantiles on a standard normal, texts and few values one-hot.

    What comes back is an atom (see `genwright.modalities.table.atoms`): a value that three groups share, or a step
    of a range that holds at least three; values beyond the train split go to its ends. Texts beyond the most frequent
    share an entry, which comes back as null. A missing cell in a column that had none in the train split is taken for
    the most frequent value, or the median.
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
        """Levels, atoms and grids of the train split.

        Raises:
            DataError: there is no column, or one of a type that is not read.
        """
        table = pa.concat_tables(rows)
        groups = codes_of_groups(table)
        derived, relations, table = prepared(table, groups=groups, relations=config.relations)
        columns = describe(
            table,
            groups=groups,
            most_values=config.max_levels,
            most_categories=config.max_categories,
            whole=derived.joined,
        )
        return cls([_stretch(column, table, groups, config) for column in columns], derived, relations)


def _stretch(column: Column, table: pa.Table, groups: Integers, config: VectorConfig) -> Stretch:
    """The atoms of what is no spike; a spike that fewer than three groups hold is none."""
    grid = column.grid
    if grid is None:
        return Stretch(column)
    numbers = numbers_of(column.cells_of(table))
    held = [spike for spike in column.spikes if len(np.unique(groups[numbers == spike])) >= HOLDERS]
    column = replace(column, spikes=tuple(held))
    kept = ~(np.isnan(numbers) | np.isin(numbers, column.spikes))
    steps = grid.steps(numbers[kept])
    atoms = atoms_of(steps, groups[kept], most=config.max_atoms)
    digits = digits_of(numbers[kept], steps, atoms.lows, most=grid.decimals)
    # Half a row spread over all atoms: a range that no row lies in is not empty either.
    mass = atoms.rows + 0.5 / len(atoms)
    ends = np.cumsum(mass) / mass.sum()
    return Stretch(column, tuple(atoms.lows.tolist()), tuple(atoms.highs.tolist()), tuple(ends.tolist()), digits)
