"""Numbers that follow from one or two others, nearly or exactly: codecs see how far they are from what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genwright.core import DataError
from genwright.modalities.table.columns import TYPES, Column, Floats, Grid, numbers_of

OPERATIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


@dataclass(frozen=True)
class Relation:
    """`target` beside `scale` times (`left` `operation` `right`), or times `left` alone.

    A target of few values is a step function: what it follows from passes so many of the `cuts`, and the target is the
    level of that place. A richer one lies on `grid` between `low` and `high`; it is told as a ratio to what it follows
    from where `ratio` is set, as a difference else, with `decimals`. `open` says that the train split has targets whose
    `left` or `right` is missing, which stand for themselves.
    """

    target: str
    type: str
    left: str
    operation: str = ""
    right: str = ""
    scale: float = 1.0
    levels: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    ratio: bool = False
    decimals: int = 0
    grid: Grid | None = None
    low: float = 0.0
    high: float = 0.0
    open: bool = False

    @property
    def formula(self) -> str:
        """What the target follows from, to be read."""
        return f"{self.left} {self.operation} {self.right}" if self.operation else self.left

    @property
    def beside(self) -> str:
        """The name of the derived column."""
        return f"{self.target} beside {self.formula}"

    @property
    def alone(self) -> str:
        """The name of the column of targets that stand for themselves."""
        return f"{self.target} without {self.formula}"

    def follows(self, rows: pa.Table, /) -> Floats:
        """(n,) what the target follows from; NaN where it cannot be told."""
        found = combined(numbers_of(rows.column(self.left)), self.operation, self._right(rows))
        return np.asarray(self.scale * found)

    def _right(self, rows: pa.Table) -> Floats | None:
        return numbers_of(rows.column(self.right)) if self.operation else None

    def apart(self, target: Floats, base: Floats, /) -> pa.Array:
        """How far each target is from `base`, what it follows from: levels, a ratio, or a difference."""
        if self.levels:
            between = (np.array(self.levels[1:]) + np.array(self.levels[:-1])) / 2
            steps = np.searchsorted(between, np.nan_to_num(target)) - np.searchsorted(self.cuts, np.nan_to_num(base))
            return pa.array(steps.astype(np.int64), mask=np.isnan(target) | np.isnan(base))
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.round(target / base if self.ratio else target - base, self.decimals)
        missing = ~np.isfinite(step)
        return pa.array(np.where(missing, 0.0, step), mask=missing)

    def back(self, rows: pa.Table, /) -> pa.Array:
        """Targets from the derived column, and from those that stand for themselves."""
        base, step = self.follows(rows), numbers_of(rows.column(self.beside))
        if self.levels:
            place = np.searchsorted(self.cuts, np.nan_to_num(base)) + np.nan_to_num(step).astype(np.int64)
            numbers = np.array(self.levels)[np.clip(place, 0, len(self.levels) - 1)]
        else:
            assert self.grid is not None
            numbers = np.nan_to_num(base * step if self.ratio else base + step)
            numbers = self.grid.values(self.grid.steps(np.clip(numbers, self.low, self.high)))
        numbers = np.where(np.isnan(base) | np.isnan(step), np.nan, numbers)
        if self.open:
            numbers = np.where(np.isnan(base), numbers_of(rows.column(self.alone)), numbers)
        return Column(self.target, self.type).from_numbers(np.nan_to_num(numbers), missing=np.isnan(numbers))

    @classmethod
    def from_json(cls, body: Mapping[str, Any], /) -> Self:
        """What `asdict` gave, from JSON."""
        grid = body["grid"] and Grid(**body["grid"])
        return cls(**{**body, "levels": tuple(body["levels"]), "cuts": tuple(body["cuts"]), "grid": grid})


@dataclass(frozen=True)
class Relations:
    """Those of a table, none of which follows from another one's target."""

    found: Sequence[Relation] = ()

    def split(self, rows: pa.Table, /, *, given: bool = False) -> pa.Table:
        """The rows with a derived column in each target's place.

        Raises:
            DataError: with `given`, where null means unknown, a target is known and what it follows from is not.
        """
        for one in self.found:
            target, base = numbers_of(rows.column(one.target)), one.follows(rows)
            if given and (np.isnan(base) & ~np.isnan(target)).any():
                raise DataError(
                    f"column '{one.target}' is given without {one.formula}, beside which it is told",
                    hint="give these too, or fit with fit.codec relations = 'off'",
                )
            place = rows.column_names.index(one.target)
            if one.open:
                alone = rows.column(one.target) if not given else pa.nulls(len(rows), TYPES[one.type])
                rows = rows.append_column(one.alone, pc.if_else(pa.array(np.isnan(base)), alone, None))
            rows = rows.set_column(place, one.beside, one.apart(target, base))
        return rows

    def join(self, rows: pa.Table, /) -> pa.Table:
        """The targets in the place of their derived columns."""
        for one in self.found:
            rows = rows.set_column(rows.column_names.index(one.beside), one.target, one.back(rows))
            rows = rows.drop_columns([one.alone]) if one.open else rows
        return rows

    def to_json(self) -> list[dict[str, Any]]:
        """Plain JSON."""
        return [asdict(one) for one in self.found]

    @classmethod
    def from_json(cls, body: Sequence[Mapping[str, Any]], /) -> Self:
        """What `to_json` gave."""
        return cls(tuple(Relation.from_json(one) for one in body))


def combined(left: Floats, operation: str, right: Floats | None, /) -> Floats:
    """One or two columns as one; NaN where that is no number."""
    if right is None:
        return left
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out = OPERATIONS[operation](left, right)
    return np.where(np.isfinite(out), out, np.nan)
