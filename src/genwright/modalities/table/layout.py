"""What the codecs of tables share: one part per column, side by side in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded
from genwright.modalities.table.columns import RESERVED, TYPES, Column, Floats, Integers, is_category
from genwright.modalities.table.derived import Derived
from genwright.modalities.table.relating import find_relations
from genwright.modalities.table.relations import Relations


class ColumnPart(Protocol):
    """The entries of one column: `width` of them in every row."""

    @property
    def column(self) -> Column: ...
    @property
    def width(self) -> int: ...
    def encode(self, cells: pa.ChunkedArray, /) -> NDArray[Any]: ...
    def decode(self, values: NDArray[Any], places: Floats, /) -> pa.Array: ...
    def to_json(self) -> dict[str, Any]: ...
    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self: ...


Part = TypeVar("Part", bound=ColumnPart)


class ColumnsCodec(Generic[Part]):
    """Rows of a table as the entries of their columns, one after another."""

    kind: ClassVar[str]
    part: ClassVar[type[Any]]
    unit = "row"

    def __init__(self, parts: Sequence[Part], derived: Derived, relations: Relations) -> None:
        self._parts, self._derived, self._relations = tuple(parts), derived, relations

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, entries).

        Raises:
            DataError: a column is not there, or of another type.
        """
        return self._encode(self._relations.split(self._derived.split(self._whole(rows))))

    def _encode(self, derived: pa.Table) -> Encoded:
        return Encoded(np.concatenate([part.encode(part.column.cells_of(derived)) for part in self._parts], axis=1))

    def _whole(self, rows: pa.Table, *, missing: bool = False) -> pa.Table:
        """The table's own columns in their own types; with `missing` those that are not there are null.

        Raises:
            DataError: a column is not there, or of another type.
        """
        cells = {}
        for name, kind in self._derived.types.items():
            there = name in rows.column_names or not missing
            cells[name] = Column(name, kind).cells_of(rows) if there else pa.nulls(len(rows), TYPES[kind])
        return pa.table(cells)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Entries of what is known; a null cell, or a column that is not there, is unknown.

        Raises:
            DataError: a column is none of the table's, or a cell none of its values.
        """
        _check_given(rows, [part.column for part in self._parts], self._derived)
        derived = self._relations.split(self._derived.split(self._whole(rows, missing=True), given=True), given=True)
        known = [
            np.repeat(derived.column(part.column.name).is_valid().to_numpy()[:, None], part.width, axis=1)
            for part in self._parts
        ]
        return Encoded(self._encode(derived).values, known=np.concatenate(known, axis=1))

    def decode(self, encoded: Encoded) -> pa.Table:
        """Rows with the columns' own types."""
        return self._derived.join(self._relations.join(pa.table(self._cells(encoded))))

    def decode_given(self, encoded: Encoded, rows: pa.Table) -> pa.Table:
        """As `decode`, and numbers that `rows` give stand as given: their bin or their range is not what they are."""
        whole = self._derived.split(self._whole(rows, missing=True), given=True)
        made = _held(pa.table(self._cells(encoded)), self._relations.split(whole, given=True))
        return self._derived.join(_held(self._relations.join(made), whole))

    def _cells(self, encoded: Encoded) -> dict[str, pa.Array]:
        """The codec's own columns, those that rules and relations make of them included."""
        ends = np.cumsum([part.width for part in self._parts])
        stretches = np.split(np.asarray(encoded.values), ends[:-1], axis=1)
        places = places_of(np.asarray(encoded.values), count=len(self._parts))
        return {
            part.column.name: part.decode(one, at) for part, one, at in zip(self._parts, stretches, places, strict=True)
        }

    def with_keys(self, rows: pa.Table) -> pa.Table:
        """Decoded rows with keys of their own: all rows of one answer at once, or keys would repeat."""
        return self._derived.with_keys(rows)

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A row is a row."""
        return np.ones(len(rows))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        columns = [part.to_json() for part in self._parts]
        body = {"kind": self.kind, "columns": columns, "derived": self._derived.to_json()}
        body["relations"] = self._relations.to_json()
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            parts = [cls.part.from_json(one) for one in body["columns"]]
            return cls(parts, Derived.from_json(body["derived"]), Relations.from_json(body["relations"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def prepared(table: pa.Table, /, *, groups: Integers, relations: str) -> tuple[Derived, Relations, pa.Table]:
    """What is kept by construction, what follows from what ("auto" seeks it), and the train split as codecs see it."""
    derived = Derived.fit(table, groups=groups)
    table = derived.split(table)
    own = [name for name in derived.types if name in table.column_names]
    found = find_relations(table, own) if relations == "auto" else Relations()
    return derived, found, found.split(table)


def places_of(values: NDArray[Any], /, *, count: int) -> Floats:
    """(count, n) numbers in [0, 1) that follow from each row's entries: where in a range a made number lies.

    Middles of ranges would come more often than any real value does. Source of the mixing: splitmix64, Steele,
    Lea & Flood 2014.
    """
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    step = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        weights = step * np.arange(1, bits.shape[1] + 1, dtype=np.uint64) | np.uint64(1)
        mixed = (bits * weights).sum(axis=1, dtype=np.uint64) + step * np.arange(1, count + 1, dtype=np.uint64)[:, None]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), dtype=np.float64) / 2.0**53


def _held(made: pa.Table, told: pa.Table) -> pa.Table:
    """The rows with the numbers that are told; texts come back as they went in."""
    for place, name in enumerate(made.column_names):
        cells, kind = told.column(name), made.schema.field(name).type
        if cells.null_count < len(cells) and not is_category(cells):
            made = made.set_column(place, name, pc.coalesce(cells.cast(kind), made.column(name)))
    return made


def _check_given(rows: pa.Table, columns: Sequence[Column], derived: Derived) -> None:
    """Passes where given cells are of the table's columns but its keys, and given texts among their values.

    Raises:
        DataError: one is not.
    """
    strange = set(rows.column_names) - set(derived.types) - set(RESERVED)
    if strange:
        raise DataError(f"the table has no column '{min(strange)}'", hint=f"its columns are {', '.join(derived.types)}")
    key = next((name for name in derived.rules.keys if name in rows.column_names), None)
    if key is not None:
        raise DataError(
            f"column '{key}' is a key, which every made row gets anew", hint="leave it out of what is given"
        )
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
