"""What rows of a table keep to: columns in order, combinations that occur, keys. Told once, where the rows come from.

Rules travel with the rows, in the metadata of their schema: through the dataset to codecs, metrics and made rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genwright.core import DataError

METADATA = b"genwright.table.rules"
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """`ordered`: columns none of which is below the one before, where both are known. `together`: columns of which only
    combinations occur that the train split has. `keys`: columns that name a row and say nothing of it."""

    ordered: tuple[tuple[str, ...], ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ordered or self.together or self.keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are named."""
        return tuple(name for group in (*self.ordered, *self.together, self.keys) for name in group)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each column that is not below another, after that one."""
        return tuple(pair for chain in self.ordered for pair in pairwise(chain))

    @classmethod
    def of(cls, rows: pa.Table, /) -> Self:
        """The rules that come with the rows; none where none do."""
        body = (rows.schema.metadata or {}).get(METADATA)
        if body is None:
            return cls()
        told = json.loads(body)
        nested = {name: tuple(tuple(group) for group in told[name]) for name in ("ordered", "together")}
        return cls(**nested, keys=tuple(told["keys"]))

    def attach(self, rows: pa.Table, /) -> pa.Table:
        """The rows, with these rules."""
        kept = dict(rows.schema.metadata or {})
        kept.pop(METADATA, None)
        return rows.replace_schema_metadata({**kept, METADATA: json.dumps(asdict(self)).encode()} if self else kept)

    def check(self, rows: pa.Table, /, *, where: str) -> None:
        """Passes where the columns are there and of types that the rules make sense for, and keys differ.

        Raises:
            DataError: otherwise.
        """
        missing = next((name for name in self.columns if name not in rows.column_names), None)
        if missing is not None:
            pairs = {name for chain in self.ordered for name in chain}
            rule = "keys" if missing in self.keys else "ordered" if missing in pairs else "together"
            raise DataError(f"{where}: data.sources {rule} names column '{missing}', which is not there")
        for low, high in self.pairs:
            kinds = [_kind(rows.column(name)) for name in (low, high)]
            if kinds[0] != kinds[1] or kinds[0] == "other":
                raise DataError(
                    f"{where}: columns '{low}' and '{high}' cannot be in order: they are of types "
                    f"{rows.column(low).type} and {rows.column(high).type}",
                    hint="data.sources ordered names numbers, dates or times, all of a kind",
                )
        for name in self.keys:
            self._check_key(rows.column(name), name, where)

    def _check_key(self, cells: pa.ChunkedArray, name: str, where: str) -> None:
        if not (pa.types.is_integer(cells.type) or pa.types.is_string(cells.type)):
            raise DataError(f"{where}: key '{name}' holds {cells.type} values, neither whole numbers nor texts")
        counts = pc.value_counts(cells.drop_null())
        twice = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1))
        if len(twice):
            raise DataError(
                f"{where}: column '{name}' is no key: several rows hold '{twice[0].as_py()}'",
                hint="name it as group_column where rows of one person share it, or leave it out with drop",
            )

    def out_of_order(self, rows: pa.Table, /) -> Flags:
        """Rows in which a column is below the one that it must not be below."""
        bad = np.zeros(len(rows), dtype=np.bool_)
        for low, high in self.pairs:
            if low in rows.column_names and high in rows.column_names:
                bad |= pc.fill_null(pc.less(rows.column(high), rows.column(low)), False).to_numpy()
        return bad


def combinations_of(rows: pa.Table, names: Sequence[str], /) -> list[str]:
    """The cells of those columns of each row, as one text."""
    columns = [rows.column(name).cast(pa.string()).to_pylist() for name in names]
    return [json.dumps(cells, ensure_ascii=False) for cells in zip(*columns, strict=True)]


def _kind(cells: pa.ChunkedArray) -> str:
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        return "number"
    if pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type) or pa.types.is_time(cells.type):
        return str(cells.type)
    return "other"
