"""Columns that keep a table's rules by construction: codecs see these, and rows are put together from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genwright.core import DataError
from genwright.modalities.table.columns import HOLDERS, RESERVED, TYPES, Integers, from_whole, numbers_of, shared
from genwright.modalities.table.rules import Rules, combinations_of

MOST_COMBINATIONS = 10_000


@dataclass(frozen=True)
class Derived:
    """Of columns in order, each but the first becomes what it is above the one before; columns that go together become
    one of their combinations, `seen` by three groups of the train split each, the most frequent first; keys are left
    out.

    `types` are those of the table's own columns, in its order. `decimals` are those that columns in order are written
    with, `open` those of them whose lower neighbour may be missing. `next_keys` is where new whole keys begin.
    """

    rules: Rules
    types: Mapping[str, str]
    seen: Sequence[Sequence[str]]
    decimals: Mapping[str, int | None]
    open: Sequence[str]
    next_keys: Mapping[str, int]

    @classmethod
    def fit(cls, rows: pa.Table, /, *, groups: Integers) -> Self:
        """What the train split says.

        Raises:
            DataError: combinations are too many, or none is held by three groups.
        """
        rules = Rules.of(rows)
        rules.check(rows, where="the train split")
        types = {name: _type(rows.column(name)) for name in rows.column_names if name not in RESERVED}
        chained = [name for chain in rules.ordered for name in chain]
        return cls(
            rules,
            types,
            tuple(_enough(rows, names, groups) for names in rules.together),
            {name: _decimals(rows.column(name)) for name in chained},
            tuple(high for low, high in rules.pairs if pc.any(_only(rows, low, high)).as_py()),
            {name: _beyond(rows.column(name)) for name in rules.keys if pa.types.is_integer(rows.column(name).type)},
        )

    def split(self, rows: pa.Table, /, *, given: bool = False) -> pa.Table:
        """The derived columns of rows that have all columns; null where a cell is, or cannot be told.

        With `given` null means unknown, and what cannot be told from what is known is an error.

        Raises:
            DataError: see above; or given cells break a rule.
        """
        out: dict[str, Any] = {name: rows.column(name) for name in self.types if name not in self._gone()}
        for low, high in self.rules.pairs:
            out[_above(low, high)] = self._difference(rows, low, high, given=given)
            if high in self.open:
                alone = pc.if_else(pc.and_(rows.column(low).is_null(), not given), rows.column(high), None)
                out[_alone(low, high)] = alone
        for names, seen in zip(self.rules.together, self.seen, strict=True):
            texts = _given(rows, names, seen) if given else _nearest(combinations_of(rows, names), seen)
            out[_joined(names)] = pa.array(texts, pa.string())
        extra = {name: rows.column(name) for name in RESERVED if name in rows.column_names}
        return pa.table({**extra, **out})

    def join(self, rows: pa.Table, /) -> pa.Table:
        """The table's own columns from derived ones; keys are null until `with_keys`."""
        out = {name: rows.column(name) for name in rows.column_names if name in self.types}
        for low, high in self.rules.pairs:
            out[high] = self._above_low(rows, out[low], low, high)
        for names, seen in zip(self.rules.together, self.seen, strict=True):
            cells = [json.loads(text or seen[0]) for text in rows.column(_joined(names)).to_pylist()]
            for place, name in enumerate(names):
                out[name] = pa.array([cell[place] for cell in cells], pa.string()).cast(TYPES[self.types[name]])
        for name in self.rules.keys:
            out[name] = pa.nulls(len(rows), TYPES[self.types[name]])
        return self.rules.attach(pa.table({name: out[name] for name in self.types}))

    def with_keys(self, rows: pa.Table, /) -> pa.Table:
        """The rows with keys of their own, counted on from beyond those of the train split, or "made 1" and so on."""
        for name in self.rules.keys:
            first = self.next_keys.get(name)
            count = range(len(rows))
            cells = [f"made {at + 1}" for at in count] if first is None else [first + at for at in count]
            made = pa.array(cells, TYPES[self.types[name]])
            rows = rows.set_column(rows.column_names.index(name), name, made)
        return rows

    @property
    def joined(self) -> tuple[str, ...]:
        """The derived columns that are combinations."""
        return tuple(_joined(names) for names in self.rules.together)

    def _gone(self) -> set[str]:
        return {
            *(high for _, high in self.rules.pairs),
            *(name for names in self.rules.together for name in names),
            *self.rules.keys,
        }

    def _difference(self, rows: pa.Table, low: str, high: str, *, given: bool) -> pa.Array:
        """How far `high` is above `low`: days, microseconds, or in its own unit."""
        below, above = rows.column(low), rows.column(high)
        if given and pc.any(pc.and_(below.is_null(), above.is_valid())).as_py():
            raise DataError(f"column '{high}' is given without '{low}', above which it is told", hint="give both")
        step = numbers_of(above) - numbers_of(below)
        if (step < 0).any():
            raise DataError(f"column '{high}' is below '{low}', and data.sources ordered says that it never is")
        missing = np.isnan(step)
        if "double" not in (self.types[low], self.types[high]):
            return pa.array(np.rint(np.nan_to_num(step)).astype(np.int64), mask=missing)
        places = self._places(low, high)
        return pa.array(step if places is None else np.round(step, places), mask=missing)

    def _places(self, low: str, high: str) -> int | None:
        both = [self.decimals.get(name) for name in (low, high)]
        return None if None in both else max(place for place in both if place is not None)

    def _above_low(self, rows: pa.Table, low_cells: Any, low: str, high: str) -> pa.Array:
        below, step = numbers_of(_chunked(low_cells)), numbers_of(rows.column(_above(low, high)))
        numbers, places = below + step, self._places(low, high)
        if places is not None:
            numbers = np.round(numbers, places)
        numbers = np.where(np.isnan(numbers), np.nan, np.maximum(numbers, below))
        if high in self.open:
            numbers = np.where(np.isnan(below), numbers_of(rows.column(_alone(low, high))), numbers)
        return _cells(numbers, TYPES[self.types[high]])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "types": list(self.types.items())}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self:
        """What `to_json` gave."""
        told = body["rules"]
        nested = {name: tuple(tuple(group) for group in told[name]) for name in ("ordered", "together")}
        rules = Rules(**nested, keys=tuple(told["keys"]))
        return cls(**{**body, "rules": rules, "types": dict(body["types"])})


def _type(cells: pa.ChunkedArray) -> str:
    return "string" if pa.types.is_null(cells.type) else str(cells.type)


def _above(low: str, high: str) -> str:
    return f"{high} above {low}"


def _alone(low: str, high: str) -> str:
    return f"{high} without {low}"


def _joined(names: Sequence[str]) -> str:
    return " with ".join(names)


def _only(rows: pa.Table, low: str, high: str) -> pa.ChunkedArray:
    return pc.and_(rows.column(low).is_null(), rows.column(high).is_valid())


def _chunked(cells: Any) -> pa.ChunkedArray:
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def _cells(numbers: Any, kind: pa.DataType) -> pa.Array:
    missing = np.isnan(numbers)
    if pa.types.is_floating(kind):
        return pa.array(numbers, pa.float64(), mask=missing)
    return from_whole(np.rint(np.nan_to_num(numbers)).astype(np.int64), kind, missing=missing)


def _decimals(cells: pa.ChunkedArray) -> int | None:
    """The fewest decimals that all cells are written with, up to 9; None where there are more."""
    if not pa.types.is_floating(cells.type):
        return 0
    values = numbers_of(cells.drop_null())
    return next((d for d in range(10) if np.allclose(values, np.round(values, d), rtol=0.0, atol=1e-9)), None)


def _beyond(cells: pa.ChunkedArray) -> int:
    """The power of ten above all keys, which says no more of them than how long they are."""
    largest = max((abs(cell) for cell in (pc.max(cells).as_py(), pc.min(cells).as_py()) if cell is not None), default=0)
    return int(10 ** len(str(largest)))


def seen_combinations(rows: pa.Table, names: Sequence[str], groups: Integers, /) -> tuple[str, ...]:
    """The combinations of those columns that three groups hold, the most frequent first."""
    return tuple(shared(combinations_of(rows, names), groups))


def _enough(rows: pa.Table, names: Sequence[str], groups: Integers) -> tuple[str, ...]:
    kept = seen_combinations(rows, names, groups)
    if not kept or len(kept) > MOST_COMBINATIONS:
        raise DataError(
            f"data.sources together: columns {', '.join(names)} have {len(kept):,} combinations that {HOLDERS} groups "
            f"hold; 1 to {MOST_COMBINATIONS:,} can be kept",
            hint="name columns that go together, such as a town and its country",
        )
    return kept


def _nearest(texts: Sequence[str], seen: Sequence[str]) -> list[str]:
    """Each combination that was seen; for a rare one the most frequent of those that agree in most columns."""
    known, cells, found = set(seen), [json.loads(text) for text in seen], dict[str, str]()
    for text in set(texts) - known:
        own = json.loads(text)
        agree = [sum(a == b for a, b in zip(own, other, strict=True)) for other in cells]
        found[text] = seen[int(np.argmax(agree))]
    return [found.get(text, text) for text in texts]


def _given(rows: pa.Table, names: Sequence[str], seen: Sequence[str]) -> list[str | None]:
    """The one combination that agrees with the known cells; None where none is known."""
    cells = [json.loads(text) for text in seen]
    columns = [rows.column(name).cast(pa.string()).to_pylist() for name in names]
    out: list[str | None] = []
    for own in zip(*columns, strict=True):
        fits = [
            text
            for text, other in zip(seen, cells, strict=True)
            if all(a is None or a == b for a, b in zip(own, other, strict=True))
        ]
        known = any(cell is not None for cell in own)
        if known and len(fits) != 1:
            told = ", ".join(f"{name}={cell}" for name, cell in zip(names, own, strict=True) if cell is not None)
            why = "no combination has it" if not fits else f"{len(fits)} combinations have it"
            raise DataError(f"given {told}: {why}", hint=f"give all of {', '.join(names)}, as in the train split")
        out.append(fits[0] if known else None)
    return out
