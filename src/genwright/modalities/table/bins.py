"""Rows as tokens, one or two per column, on a grid that restores types, decimals and spikes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.table.config import BinsConfig

MISSING = 0  # the first id of every column's first cell


@dataclass(frozen=True)
class Column:
    """A fitted column. `levels` are its values, where there are few; else `edges` of bins and `places` inside each."""

    name: str
    kind: str
    levels: tuple[Any, ...] = ()
    edges: tuple[float, ...] = ()
    decimals: int = 0
    places: int = 0

    @property
    def cells(self) -> tuple[int, ...]:
        """How many ids each of its cells has; the first of the first cell means missing."""
        if self.edges:
            return (len(self.edges), self.places)
        return (1 + len(self.levels),)


class BinsCodec:
    """A column's values, or its quantile bins and places inside them, as ids of a fixed layout.

    What stands between grid points comes back as the nearest one: a place is 1/`sub_levels` of a bin, and a bin holds
    1/`max_levels` of the train split. Categories beyond the most frequent `max_levels` come back as missing.
    """

    representation: Representation = "tokens"
    unit = "row"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        counts = [count for column in self._columns for count in column.cells]
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
        """Levels, edges and decimals of the train split.

        Raises:
            DataError: there is no column.
        """
        table = pa.concat_tables(rows)
        names = [name for name in table.column_names if name not in ("id", "group")]
        if not names:
            raise DataError("the table has no column besides id and group", hint="look at data.sources columns")
        return cls([_column(name, table.column(name), config) for name in names])

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, cells) ids."""
        parts = [_to_cells(column, rows.column(column.name)) for column in self._columns]
        return Encoded(np.concatenate(parts, axis=1) + self._firsts)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is known; a null cell, or a column that is not there, is unknown.

        Raises:
            DataError: a column is none of the table's.
        """
        strange = set(rows.column_names) - {column.name for column in self._columns} - {"id", "group"}
        if strange:
            raise DataError(f"the table has no column '{min(strange)}'")
        parts, known = [], []
        for column in self._columns:
            width = len(column.cells)
            if column.name in rows.column_names:
                cells = rows.column(column.name)
                parts.append(_to_cells(column, cells))
                known.append(np.repeat(cells.is_valid().to_numpy()[:, None], width, axis=1))
            else:
                parts.append(np.zeros((len(rows), width), dtype=np.int64))
                known.append(np.zeros((len(rows), width), dtype=np.bool_))
        return Encoded(np.concatenate(parts, axis=1) + self._firsts, known=np.concatenate(known, axis=1))

    def decode(self, encoded: Encoded) -> pa.Table:
        """Rows with the columns' own types."""
        ids = np.asarray(encoded.values) - self._firsts
        at, out = 0, {}
        for column in self._columns:
            out[column.name] = _from_cells(column, ids[:, at : at + len(column.cells)])
            at += len(column.cells)
        return pa.table(out)

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A row is a row."""
        return np.ones(len(rows))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"kind": "table-bins", "columns": [asdict(column) for column in self._columns]}
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            columns = [
                Column(**{**one, "levels": tuple(one["levels"]), "edges": tuple(one["edges"])})
                for one in body["columns"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None
        return cls(columns)


def _column(name: str, cells: pa.ChunkedArray, config: BinsConfig) -> Column:
    number = pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)
    kind = "integer" if pa.types.is_integer(cells.type) else "number" if number else "category"
    values = cells.drop_null().to_pylist()
    counts = Counter(values if number else map(str, values))
    if len(counts) <= config.max_levels or not number:
        kept = sorted(counts, key=lambda value: (-counts[value], str(value)))[: config.max_levels]
        return Column(name, kind, levels=tuple(sorted(kept)))
    numbers = np.array(values, dtype=np.float64)
    decimals = 0 if kind == "integer" else _decimals(numbers)
    # Spikes make neighbouring quantiles equal: a bin of their own remains of them.
    edges = np.unique(np.quantile(numbers, np.linspace(0.0, 1.0, config.max_levels)))
    return Column(name, kind, edges=tuple(edges.tolist()), decimals=decimals, places=config.sub_levels)


def _decimals(numbers: NDArray[np.float64]) -> int:
    """The fewest decimals that all numbers are written with, at most 6."""
    return next((d for d in range(6) if np.allclose(numbers, np.round(numbers, d), rtol=0, atol=1e-9)), 6)


def _to_cells(column: Column, cells: pa.ChunkedArray) -> NDArray[np.int64]:
    if column.edges:
        numbers = cells.cast(pa.float64()).to_numpy()
        edges = np.array(column.edges)
        clipped = np.clip(np.nan_to_num(numbers, nan=edges[0]), edges[0], edges[-1])
        place = np.clip(np.searchsorted(edges, clipped, side="right") - 1, 0, len(edges) - 2)
        inside = (clipped - edges[place]) / (edges[place + 1] - edges[place])
        fine = np.clip(np.round(inside * (column.places - 1)), 0, column.places - 1).astype(np.int64)
        missing = np.isnan(numbers)
        return np.stack((np.where(missing, MISSING, place + 1), np.where(missing, 0, fine)), axis=1)
    index = {value: at + 1 for at, value in enumerate(column.levels)}
    values = cells.to_pylist()
    if column.kind == "category":
        values = [None if value is None else str(value) for value in values]
    return np.array([[index.get(value, MISSING)] for value in values], dtype=np.int64).reshape(-1, 1)


def _from_cells(column: Column, ids: NDArray[np.int64]) -> pa.Array:
    kinds = {"integer": pa.int64(), "number": pa.float64(), "category": pa.string()}
    if not column.edges:
        values = (None, *column.levels)
        return pa.array([values[place] for place in ids[:, 0].tolist()], kinds[column.kind])
    edges = np.array(column.edges)
    place = np.clip(ids[:, 0] - 1, 0, len(edges) - 2)
    inside = edges[place] + ids[:, 1] / (column.places - 1) * (edges[place + 1] - edges[place])
    numbers = np.round(inside, column.decimals)
    missing = ids[:, 0] == MISSING
    if column.kind == "integer":
        return pa.array(numbers.astype(np.int64), kinds["integer"], mask=missing)
    return pa.array(numbers, kinds["number"], mask=missing)
