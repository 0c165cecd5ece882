"""Distances between the distributions of one column on two sides, and its entropy.

All are plug-in estimates: finite samples of one distribution lie apart, and entropy comes out too low (by about
(K-1)/2n nats with K categories). An interval is about what samples of this size give on average; the floor to compare
with is the distance between two real samples of the same size.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from genwright.core import DataError, Derivation
from genwright.measure.units import Rows
from genwright.measure.weighted import Weighted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EMPTY_SIDE = "one side has no rows"


def entropy(rows: Rows, derivation: Derivation, /) -> Weighted:
    """-sum p ln p of the categories of `value`, in nats."""
    counts = _counts(rows.values["value"])
    most = float(np.log(len(np.unique(rows.values["value"]))))

    def of(weights: Floats) -> Floats:
        return np.asarray(special.entr(_shares(counts(weights))).sum(axis=1))

    return Weighted(of, "there are no rows", ends="error", bounds=(0.0, most))


def total_variation(rows: Rows, derivation: Derivation, /) -> Weighted:
    """sum |p - q| / 2 over the categories of `value` on side 0 and side 1, from 0 to 1."""
    return _between(rows, derivation, lambda p, q: np.abs(p - q).sum(axis=1) / 2, most=1.0)


def jensen_shannon(rows: Rows, derivation: Derivation, /) -> Weighted:
    """H((p+q)/2) - (H(p) + H(q))/2 in nats, from 0 to ln 2. Source: Lin 1991."""

    def of(p: Floats, q: Floats) -> Floats:
        middle = special.entr((p + q) / 2) - (special.entr(p) + special.entr(q)) / 2
        return np.asarray(np.clip(middle.sum(axis=1), 0.0, np.log(2)))

    return _between(rows, derivation, of, most=float(np.log(2)))


def cosine(rows: Rows, derivation: Derivation, /) -> Weighted:
    """p.q / (|p| |q|) of the shares of the categories of `value` on the two sides, from 0 to 1.

    Finite samples of one distribution score below 1, by more the more categories are rare.
    """

    def of(p: Floats, q: Floats) -> Floats:
        lengths = np.sqrt(np.square(p).sum(axis=1) * np.square(q).sum(axis=1))
        return np.asarray((p * q).sum(axis=1) / lengths)

    return _between(rows, derivation, of, most=1.0)


def wasserstein(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The area between the two distribution functions of `value`, in its unit. Source: Vallender 1974."""
    side, values = sides(rows, derivation, allowed=(0, 1)), rows.values["value"]
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])

    def of(weights: Floats) -> Floats:
        zero, one = (_shares((weights * (side == k))[:, order]).cumsum(axis=1) for k in (0, 1))
        return np.asarray((np.abs(zero - one)[:, :-1] * gaps).sum(axis=1))

    return Weighted(of, EMPTY_SIDE, side, "error", (0.0, np.inf))


def sides(rows: Rows, derivation: Derivation, /, *, allowed: tuple[int, ...]) -> Integers:
    """The column `side` as integers.

    Raises:
        DataError: it holds what is not allowed.
    """
    found = rows.values["side"]
    wrong = found[~np.isin(found, allowed)]
    if len(wrong):
        raise DataError(
            f"column '{derivation.columns['side']}' holds {wrong[0]}; "
            f"a side of {derivation.estimator} is one of {', '.join(map(str, allowed))}"
        )
    return found.astype(np.int64)


def _between(
    rows: Rows, derivation: Derivation, distance: Callable[[Floats, Floats], Floats], *, most: float
) -> Weighted:
    side, counts = sides(rows, derivation, allowed=(0, 1)), _counts(rows.values["value"])

    def of(weights: Floats) -> Floats:
        p, q = (_shares(counts(weights * (side == k))) for k in (0, 1))
        return distance(p, q)

    return Weighted(of, EMPTY_SIDE, side, "error", (0.0, most))


def _counts(values: Floats) -> Callable[[Floats], Floats]:
    """From weights [r, n] to the weight of each category [r, k]."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-1.0))
    return lambda weights: np.asarray(np.add.reduceat(weights[:, order], starts, axis=1))


def _shares(counts: Floats) -> Floats:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(total > 0, total, np.nan))
