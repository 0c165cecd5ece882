"""Rows as tokens, one or two per column, on a grid that restores types, decimals and spikes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.table.columns import Column, Floats, Integers, describe, numbers_of
from genwright.modalities.table.config import BinsConfig

MISSING = 0  # the first id of every column's first cell


@dataclass(frozen=True)
class Cells:
    """The cells of one column. Of a rich number: ids of spikes, then of bins from `lows` to `highs` (steps of its
    grid, both inside), and `places` inside a bin."""

    column: Column
    lows: tuple[int, ...] = ()
    highs: tuple[int, ...] = ()
    places: int = 0

    @property
    def counts(self) -> tuple[int, ...]:
        """How many ids each cell has."""
        column = self.column
        if column.grid is None:
            return (1 + len(column.levels) + int(column.other),)
        return (1 + len(column.spikes) + len(self.lows), self.places)

    def encode(self, cells: pa.ChunkedArray, /) -> Integers:
        """(n, 1 or 2) ids from 0 on. A text that is no level is the rest's, or missing where no rest was seen."""
        column = self.column
        if column.grid is None:
            places = column.places(cells)
            strange = (places == len(column.levels)) & (not column.other)
            return np.where(strange, MISSING, places + 1)[:, None]
        return self._encode_number(numbers_of(cells))

    def _encode_number(self, numbers: Floats) -> Integers:
        column, lows, highs = self.column, np.array(self.lows), np.array(self.highs)
        assert column.grid is not None
        steps = np.clip(column.grid.steps(numbers), lows[0], highs[-1])
        bins = np.searchsorted(lows, steps, side="right") - 1
        width = highs[bins] - lows[bins] + 1
        offset = np.minimum(steps, highs[bins]) - lows[bins]
        first, second = 1 + len(column.spikes) + bins, np.where(width <= self.places, offset, _part(offset, self, bins))
        spikes = column.grid.steps(np.array(column.spikes))
        for at, spike in enumerate(spikes.tolist()):
            hit = column.grid.steps(numbers) == spike
            first, second = np.where(hit, 1 + at, first), np.where(hit, 0, second)
        missing = np.isnan(numbers)
        return np.stack((np.where(missing, MISSING, first), np.where(missing, 0, second)), axis=1)

    def decode(self, ids: Integers, /) -> pa.Array:
        """Cells of the column's type; a place inside a bin is the step in its middle."""
        column = self.column
        if column.grid is None:
            return column.from_places(ids[:, 0] - 1)
        lows, highs, spikes = np.array(self.lows), np.array(self.highs), np.array((*column.spikes, 0.0))
        bins = np.clip(ids[:, 0] - 1 - len(column.spikes), 0, len(lows) - 1)
        width = highs[bins] - lows[bins] + 1
        start, end = (-(-(ids[:, 1] + more) * width // self.places) for more in (0, 1))
        inside = np.where(width <= self.places, np.minimum(ids[:, 1], width - 1), (start + end - 1) // 2)
        values = column.grid.values(lows[bins] + inside)
        spiked = (ids[:, 0] > MISSING) & (ids[:, 0] <= len(column.spikes))
        values = np.where(spiked, spikes[np.where(spiked, ids[:, 0] - 1, 0)], values)
        return column.from_numbers(values, missing=ids[:, 0] == MISSING)


def _part(offset: Integers, cells: Cells, bins: Integers) -> Integers:
    """Which of the equal parts of its bin a step lies in."""
    width = np.array(cells.highs)[bins] - np.array(cells.lows)[bins] + 1
    return np.asarray(offset * cells.places // width, dtype=np.int64)


class BinsCodec:
    """A column's values, or its quantile bins and places inside them, as ids of a fixed layout.

    Numbers of the train split come back exactly where their grid has fewer than (max_levels - 1) * sub_levels steps.
    Beyond that a bin holds about 1/`max_levels` of the rows, a place inside it 1/`sub_levels` of the bin, and what
    comes back is the step in the middle of the place. What lies outside the train split's range goes to its end. Texts
    beyond the most frequent `max_categories` share an id, which comes back as null: what they were is lost.
    """

    representation: Representation = "tokens"
    unit = "row"

    def __init__(self, columns: Sequence[Cells]) -> None:
        self._columns = tuple(columns)
        counts = [count for column in self._columns for count in column.counts]
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
        tables = list(rows)
        columns = describe(tables, most_values=config.max_levels, most_categories=config.max_categories)
        return cls([_cells(column, tables, config) for column in columns])

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, cells) ids.

        Raises:
            DataError: a column is not there, or of another type.
        """
        parts = [cells.encode(cells.column.cells_of(rows)) for cells in self._columns]
        return Encoded(np.concatenate(parts, axis=1) + self._firsts)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is known; a null cell, or a column that is not there, is unknown.

        Raises:
            DataError: a column is none of the table's, or a cell none of its values.
        """
        check_given(rows, [cells.column for cells in self._columns])
        parts, known = [], []
        for one in self._columns:
            width = len(one.counts)
            if one.column.name in rows.column_names:
                cells = one.column.cells_of(rows)
                parts.append(one.encode(cells))
                known.append(np.repeat(cells.is_valid().to_numpy()[:, None], width, axis=1))
            else:
                parts.append(np.zeros((len(rows), width), dtype=np.int64))
                known.append(np.zeros((len(rows), width), dtype=np.bool_))
        return Encoded(np.concatenate(parts, axis=1) + self._firsts, known=np.concatenate(known, axis=1))

    def decode(self, encoded: Encoded) -> pa.Table:
        """Rows with the columns' own types."""
        ids = np.asarray(encoded.values, dtype=np.int64) - self._firsts
        at, out = 0, {}
        for cells in self._columns:
            out[cells.column.name] = cells.decode(ids[:, at : at + len(cells.counts)])
            at += len(cells.counts)
        return pa.table(out)

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A row is a row."""
        return np.ones(len(rows))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        columns = [
            {"column": one.column.to_json(), "lows": one.lows, "highs": one.highs, "places": one.places}
            for one in self._columns
        ]
        (folder / "codec.json").write_bytes(canonical_json({"kind": "table-bins", "columns": columns}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            return cls([_from_json(one) for one in body["columns"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def check_given(rows: pa.Table, columns: Sequence[Column], /) -> None:
    """Passes where given cells are of these columns, and given texts among their values.

    Raises:
        DataError: one is not.
    """
    strange = set(rows.column_names) - {column.name for column in columns} - {"id", "group"}
    if strange:
        names = ", ".join(column.name for column in columns)
        raise DataError(f"the table has no column '{min(strange)}'", hint=f"its columns are {names}")
    for column in columns:
        if not column.category or column.name not in rows.column_names:
            continue
        cells = column.cells_of(rows)
        unknown = np.flatnonzero(column.places(cells) == len(column.levels))
        if len(unknown):
            some = ", ".join(column.levels[:10])
            raise DataError(
                f"column '{column.name}' has no value '{cells[int(unknown[0])].as_py()}'", hint=f"such as {some}"
            )


def _from_json(body: dict[str, Any]) -> Cells:
    lows, highs = tuple(body["lows"]), tuple(body["highs"])
    return Cells(Column.from_json(body["column"]), lows, highs, body["places"])


def _cells(column: Column, tables: Sequence[pa.Table], config: BinsConfig) -> Cells:
    if column.grid is None:
        return Cells(column)
    numbers = np.concatenate([numbers_of(column.cells_of(table)) for table in tables])
    steps = column.grid.steps(numbers[~np.isnan(numbers)])
    steps, counts = np.unique(steps, return_counts=True)
    rest = ~np.isin(steps, column.grid.steps(np.array(column.spikes)))
    lows, highs = _bins(steps[rest], counts[rest], most=config.max_levels, places=config.sub_levels)
    places = min(config.sub_levels, int((highs - lows).max()) + 1)
    return Cells(column, tuple(lows.tolist()), tuple(highs.tolist()), places)


def _bins(steps: Integers, counts: Integers, *, most: int, places: int) -> tuple[Integers, Integers]:
    """Least and largest step of at most `most` bins of about equal mass; no wider than `places` where that can be."""
    needed = -(-int(steps[-1] - steps[0] + 1) // places)
    exact = needed < most
    before = np.cumsum(counts) - counts
    wanted = np.arange(1, most - needed if exact else most) * counts.sum() / (most - needed if exact else most)
    starts = np.unique(np.append(np.minimum(np.searchsorted(before, wanted), len(steps) - 1), 0))
    if exact:
        ends = np.append(starts[1:], len(steps)) - 1
        wide = [
            np.searchsorted(steps, np.arange(steps[a], steps[b] + 1, places))
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        starts = np.unique(np.concatenate(wide))
    return steps[starts], steps[np.append(starts[1:], len(steps)) - 1]
