"""Rows as tokens, one or two per column, that restore types, decimals and common values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.table.atoms import Atoms, atoms_of, codes_of_groups, digits_of, rounded, within
from genwright.modalities.table.columns import Column, Floats, Integers, describe, numbers_of
from genwright.modalities.table.config import BinsConfig
from genwright.modalities.table.derived import Derived
from genwright.modalities.table.layout import ColumnsCodec, prepared
from genwright.modalities.table.relations import Relations

MISSING = 0  # the first id of every column's first cell


@dataclass(frozen=True)
class Cells:
    """The cells of one column. A rich number has atoms from `lows` to `highs` (steps of its grid), and `starts` are
    the first atoms of its bins: the first cell says the bin, the second the atom inside. `digits` are the decimals of
    each atom."""

    column: Column
    lows: tuple[int, ...] = ()
    highs: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()
    digits: tuple[int, ...] = ()

    @property
    def counts(self) -> tuple[int, ...]:
        """How many ids each cell has."""
        column = self.column
        if column.grid is None:
            return (1 + len(column.levels) + int(column.other),)
        return (1 + len(self.starts), max(np.diff((*self.starts, len(self.lows))).tolist()))

    @property
    def width(self) -> int:
        """One cell, or two."""
        return len(self.counts)

    def encode(self, cells: pa.ChunkedArray, /) -> Integers:
        """(n, 1 or 2) ids from 0 on. A text that is no level is the rest's, or missing where no rest was seen."""
        column = self.column
        if column.grid is None:
            places = column.places(cells)
            strange = (places == len(column.levels)) & (not column.other)
            return np.where(strange, MISSING, places + 1)[:, None]
        return self._encode_number(numbers_of(cells))

    def _encode_number(self, numbers: Floats) -> Integers:
        assert self.column.grid is not None
        lows, starts = np.array(self.lows), np.array(self.starts)
        steps = self.column.grid.steps(numbers)
        atom = np.maximum(np.searchsorted(lows, steps, side="right") - 1, 0)
        bins = np.searchsorted(starts, atom, side="right") - 1
        missing = np.isnan(numbers)
        return np.stack((np.where(missing, MISSING, 1 + bins), np.where(missing, 0, atom - starts[bins])), axis=1)

    def decode(self, ids: Integers, places: Floats, /) -> pa.Array:
        """Cells of the column's type; of a range, the step at that place in it."""
        column = self.column
        if column.grid is None:
            return column.from_places(ids[:, 0] - 1)
        starts = np.array((*self.starts, len(self.lows)))
        bins = np.clip(ids[:, 0] - 1, 0, len(starts) - 2)
        atom = np.minimum(starts[bins] + ids[:, 1], starts[bins + 1] - 1)
        low, high = np.array(self.lows)[atom], np.array(self.highs)[atom]
        numbers = rounded(column.grid.values(within(low, high, places)), self.digits, atom)
        return column.from_numbers(numbers, missing=ids[:, 0] == MISSING)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self:
        """What `to_json` gave."""
        return cls(
            Column.from_json(body["column"]), *(tuple(body[name]) for name in ("lows", "highs", "starts", "digits"))
        )


class BinsCodec(ColumnsCodec[Cells]):
    """A column's values, or its bins and the atoms inside them, as ids of a fixed layout.

    Numbers come back exactly where their grid has at most 3/4 max_levels * sub_levels steps, and beyond that where
    three groups of the train split share them; the others come back as a step of a range that holds at least three
    groups (see `genwright.modalities.table.atoms`), and the rest of the row decides which. What lies outside the train
    split's range goes to its end. Texts that fewer than three groups hold, or beyond the most frequent
    `max_categories`, share an id, which comes back as null: what they were is lost.
    """

    representation: Representation = "tokens"
    kind = "table-bins"
    part = Cells

    def __init__(self, parts: Sequence[Cells], derived: Derived, relations: Relations) -> None:
        super().__init__(parts, derived, relations)
        counts = [count for part in self._parts for count in part.counts]
        self._firsts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)
        total = int(sum(counts))
        cells = tuple((int(first), count) for first, count in zip(self._firsts, counts, strict=True))
        self._shape = TokenShape(total + 2, total, total + 1, len(counts), cells=cells)

    @property
    def shape(self) -> TokenShape:
        """One or two cells per column, with ids of their own."""
        return self._shape

    @classmethod
    def fit(cls, config: BinsConfig, *, rows: Iterable[pa.Table]) -> Self:
        """Levels, bins and grids of the train split.

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
        return cls([_cells(column, table, groups, config) for column in columns], derived, relations)

    def _encode(self, derived: pa.Table) -> Encoded:
        """(n, cells) ids."""
        return Encoded(super()._encode(derived).values + self._firsts)

    def _cells(self, encoded: Encoded) -> dict[str, pa.Array]:
        return super()._cells(Encoded(np.asarray(encoded.values, dtype=np.int64) - self._firsts))


def _cells(column: Column, table: pa.Table, groups: Integers, config: BinsConfig) -> Cells:
    if column.grid is None:
        return Cells(column)
    numbers = numbers_of(column.cells_of(table))
    known = ~np.isnan(numbers)
    steps = column.grid.steps(numbers[known])
    # Not all places that there are: bins of equal mass do not all hold equally many atoms.
    atoms = atoms_of(steps, groups[known], most=max(1, config.max_levels * config.sub_levels * 3 // 4))
    starts = _bins(atoms, most=config.max_levels - 1, places=config.sub_levels)
    digits = digits_of(numbers[known], steps, atoms.lows, most=column.grid.decimals)
    return Cells(column, tuple(atoms.lows.tolist()), tuple(atoms.highs.tolist()), tuple(starts.tolist()), digits)


def _bins(atoms: Atoms, *, most: int, places: int) -> Integers:
    """The first atoms of about `most` bins of equal mass that hold at most `places` atoms each."""
    before = np.cumsum(atoms.rows) - atoms.rows
    free = max(1, most - len(atoms) // places)
    wanted = np.arange(free) * (atoms.rows.sum() / free)
    starts = np.unique(np.minimum(np.searchsorted(before, wanted), len(atoms) - 1))
    ends = np.append(starts[1:], len(atoms))
    return np.concatenate([np.arange(a, b, places) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)])
