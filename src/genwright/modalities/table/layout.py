"""What the codecs of tables share: one part per column, side by side in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded
from genwright.modalities.table.columns import Column


class ColumnPart(Protocol):
    """The entries of one column: `width` of them in every row."""

    @property
    def column(self) -> Column: ...
    @property
    def width(self) -> int: ...
    def encode(self, cells: pa.ChunkedArray, /) -> NDArray[Any]: ...
    def decode(self, values: NDArray[Any], /) -> pa.Array: ...
    def to_json(self) -> dict[str, Any]: ...
    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self: ...


Part = TypeVar("Part", bound=ColumnPart)


class ColumnsCodec(Generic[Part]):
    """Rows of a table as the entries of their columns, one after another."""

    kind: ClassVar[str]
    part: ClassVar[type[Any]]
    unit = "row"

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, entries).

        Raises:
            DataError: a column is not there, or of another type.
        """
        return Encoded(np.concatenate([part.encode(part.column.cells_of(rows)) for part in self._parts], axis=1))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Entries of what is known; a null cell, or a column that is not there, is unknown.

        Raises:
            DataError: a column is none of the table's, or a cell none of its values.
        """
        _check_given(rows, [part.column for part in self._parts])
        empty = {part.column.name: pa.nulls(len(rows), part.column.arrow_type) for part in self._parts}
        whole = pa.table({name: rows.column(name) if name in rows.column_names else empty[name] for name in empty})
        known = [
            np.repeat(whole.column(part.column.name).is_valid().to_numpy()[:, None], part.width, axis=1)
            for part in self._parts
        ]
        return Encoded(self.encode(whole).values, known=np.concatenate(known, axis=1))

    def decode(self, encoded: Encoded) -> pa.Table:
        """Rows with the columns' own types."""
        ends = np.cumsum([part.width for part in self._parts])
        stretches = np.split(np.asarray(encoded.values), ends[:-1], axis=1)
        return pa.table({part.column.name: part.decode(one) for part, one in zip(self._parts, stretches, strict=True)})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A row is a row."""
        return np.ones(len(rows))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"kind": self.kind, "columns": [part.to_json() for part in self._parts]}
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            return cls([cls.part.from_json(one) for one in body["columns"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def _check_given(rows: pa.Table, columns: Sequence[Column]) -> None:
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
