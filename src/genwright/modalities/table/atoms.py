"""A rich number cut into atoms: values that many share as they are, and ranges of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.modalities.table.columns import HOLDERS, Floats, Integers


@dataclass(frozen=True)
class Atoms:
    """Ranges of steps, in order and without a gap; one from a step to the same step is a value."""

    lows: Integers
    highs: Integers
    rows: Integers  # how many train rows lie in each

    def __len__(self) -> int:
        return len(self.lows)


def atoms_of(steps: Integers, groups: Integers, /, *, most: int) -> Atoms:
    """At most about `most` atoms of a column with those steps of its grid, and the group of each.

    Where the whole grid has no more steps, each is a value. Beyond that a value is kept where 3 groups share it, the
    most frequent first; the others lie in ranges of 3 groups or more, of about equally many rows, so that what only
    one person has is said of no one but by chance.
    """
    span = int(steps.max() - steps.min()) + 1
    if span <= most:
        lows = np.arange(steps.min(), steps.max() + 1)
        return Atoms(lows, lows, np.bincount(steps - lows[0], minlength=span))
    values, holders, rows = _holders(steps, groups)
    shared = np.flatnonzero(holders >= HOLDERS)
    kept = shared[np.argsort(-rows[shared], kind="stable")][: most * 3 // 4]
    point = np.zeros(len(values), dtype=np.bool_)
    point[kept] = True
    piece = _pieces(point, holders, rows, most=most - len(kept))
    starts = np.flatnonzero(np.append(True, piece[1:] != piece[:-1]))
    ends = np.append(starts[1:], len(values)) - 1
    lows, highs = _stretched(values[starts], values[ends], point[starts])
    return Atoms(lows, highs, np.add.reduceat(rows, starts))


def within(lows: Integers, highs: Integers, places: NDArray[np.float64], /) -> Integers:
    """The step of each range at a place in [0, 1)."""
    return lows + np.floor(places * (highs - lows + 1)).astype(np.int64)


def digits_of(values: Floats, steps: Integers, lows: Integers, /, *, most: int | None) -> tuple[int, ...]:
    """The fewest decimals that the values in each atom are written with; empty where the column has none, or no end.

    Small numbers are often written with more decimals than large ones, and a made one is to have as many as its kind.
    """
    if not most:
        return ()
    atom = np.searchsorted(lows, steps, side="right") - 1
    digits = np.where(np.bincount(atom, minlength=len(lows)) > 0, 0, most)
    for decimals in range(most):
        digits[np.unique(atom[np.abs(values - np.round(values, decimals)) > 1e-9])] = decimals + 1
    return tuple(digits.tolist())


def rounded(numbers: Floats, digits: Sequence[int], atom: Integers, /) -> Floats:
    """Made numbers with the decimals of their atoms."""
    if not digits:
        return numbers
    scale = 10.0 ** np.array(digits)[atom]
    return np.asarray(np.round(numbers * scale) / scale, dtype=np.float64)


def codes_of_groups(rows: pa.Table, /) -> Integers:
    """A number for the group of each row; without groups each row is one."""
    groups = rows.column("group").to_pylist() if "group" in rows.column_names else range(len(rows))
    return np.unique(np.array(groups), return_inverse=True)[1].astype(np.int64)


def _holders(steps: Integers, groups: Integers) -> tuple[Integers, Integers, Integers]:
    """The different steps in order, in how many groups each is, and in how many rows."""
    values, place, rows = np.unique(steps, return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack((place, groups), axis=1), axis=0)
    return values, np.bincount(pairs[:, 0], minlength=len(values)), rows


def _pieces(point: np.ndarray, holders: Integers, rows: Integers, *, most: int) -> Integers:
    """A number for each value, rising where an atom begins: points alone, the rest in runs of equal rows."""
    rest = np.where(point, 0, rows)
    # Groups with several values in a range are counted more than once: twice as many are asked for.
    least = max(float(rest.sum()) / max(most, 1), 1.0)
    piece, number, held, filled = np.zeros(len(rows), dtype=np.int64), 0, 0, 0.0
    for at in range(len(rows)):
        begins = at > 0 and (point[at] or point[at - 1] or (held >= 2 * HOLDERS and filled >= least))
        if begins:
            number, held, filled = number + 1, 0, 0.0
        piece[at] = number
        held, filled = held + int(holders[at]), filled + float(rest[at])
    return piece


def _stretched(lows: Integers, highs: Integers, point: np.ndarray) -> tuple[Integers, Integers]:
    """Ranges grown until they meet: to the value next to them, or half-way to the next range."""
    lows, highs = lows.copy(), highs.copy()
    for at in range(len(lows) - 1):
        end, start = int(highs[at]), int(lows[at + 1])
        if point[at] and point[at + 1]:
            continue
        highs[at] = end if point[at] else start - 1 if point[at + 1] else (end + start - 1) // 2
        lows[at + 1] = start if point[at + 1] else int(highs[at]) + 1
    return lows, highs
