"""Distances between two sets of feature vectors: Fréchet and kernel (KID).

Matrix products and eigenvalues differ in their last bits between machines and thread counts; results are therefore
rounded to digits of the features' own scale: 8 for Fréchet, which takes roots of small eigenvalues, and 10 for KID.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from genwright.core import Derivation
from genwright.measure.distributions import sides
from genwright.measure.intervals import Interval
from genwright.measure.units import Rows
from genwright.measure.weighted import Weighted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK_ROWS = 1024
NUM_BLOCKS = 10
TOO_FEW = "a side has fewer than 2 rows"


def frechet(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The Fréchet distance of side 0 from the reference (side 1), between the Gaussians of equal moments.

    It is biased upward, by more the fewer rows there are for a dimension, and a resample is biased once more: an
    interval of percentiles would lie too high. The interval is the bootstrap's standard error around the estimate,
    and is of what samples of this size give on average. Source: Dowson & Landau 1982; Heusel et al. 2017
    (arXiv:1706.08500).
    """
    side = sides(rows, derivation, allowed=(0, 1))
    x = _centred(rows)

    def of(weights: Floats) -> Floats:
        return np.array([_distance(_moments(x, w * (side == 0)), _moments(x, w * (side == 1))) for w in weights])

    return Weighted(of, TOO_FEW, side, "error", (0.0, np.inf))


def frechet_ratio(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The Fréchet distance of side 0 from the reference (side 1) over that of side 2 (other real rows) from it.

    1 means as near as real data. Rows must have gone through `balanced`, for the bias depends on their number. The
    interval is the standard error of the logarithm; with 100 rows a side a nominal 95 % covers about 90 %, since the
    bias of the resampled floor hides some of its spread.
    """
    side = sides(rows, derivation, allowed=(0, 1, 2))
    x = _centred(rows)

    def one(weights: Floats) -> float:
        made, reference, floor = (_moments(x, weights * (side == k)) for k in (0, 1, 2))
        below = _distance(floor, reference)
        return _distance(made, reference) / below if below > 0 else math.nan

    absent = f"{TOO_FEW} or the floor is 0"
    return Weighted(lambda weights: np.array([one(w) for w in weights]), absent, side, "log_error", (0.0, np.inf))


def balanced(rows: Rows, derivation: Derivation, /) -> Rows:
    """The rows with sides 0 and 2 cut to their first rows, as many as the shorter of the two has."""
    side = sides(rows, derivation, allowed=(0, 1, 2))
    fewest = int(min((side == 0).sum(), (side == 2).sum()))
    kept = [np.flatnonzero(side == 0)[:fewest], np.flatnonzero(side == 1), np.flatnonzero(side == 2)[:fewest]]
    return rows.take(np.sort(np.concatenate(kept)).astype(np.int64))


def frechet_distance(mean_a: Floats, covariance_a: Floats, mean_b: Floats, covariance_b: Floats, /) -> float:
    """|mean_a - mean_b|^2 + Tr(A + B - 2 (A B)^(1/2)), 0 or more; means [d], covariances A and B [d, d].

    The trace of the root is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = vectors * np.sqrt(_positive(values))
    product = root.T @ covariance_b @ root
    shared = float(np.sqrt(_positive(np.linalg.eigvalsh((product + product.T) / 2))).sum())
    spread = float(np.trace(covariance_a) + np.trace(covariance_b))
    return max(0.0, settled(float(np.square(mean_a - mean_b).sum()) + spread - 2 * shared, scale=spread, digits=8))


def kid(rows: Rows, derivation: Derivation, /) -> tuple[float | None, Interval]:
    """The unbiased squared MMD between the sides 0 and 1 with the kernel (x.y/d + 1)^3; it can fall below 0.

    The t interval is that of the same estimate on `parameter` disjoint blocks (rows dealt out in turn, clusters whole).
    It is right where the sides differ, and too wide where they do not, for blocks then spread more than the whole.
    Source: Bińkowski et al. 2018 (arXiv:1801.01401).
    """
    side = sides(rows, derivation, allowed=(0, 1))
    assert rows.features is not None
    x, y = (rows.features[side == k] for k in (0, 1))
    if min(len(x), len(y)) < 2:
        return None, Interval("kid", reason=TOO_FEW)
    value = mmd(x, y)
    return value, Interval("kid") if derivation.interval == "none" else _over_blocks(value, rows, side, derivation)


def mmd(x: Floats, y: Floats, /) -> float:
    """The unbiased squared MMD of x [n, d] and y [m, d], n and m from 2 on. Source: Gretton et al. 2012, equation 3."""
    n, m = len(x), len(y)
    own_x, own_y = _self_kernel(x), _self_kernel(y)
    within_x = (_kernel_sum(x, x) - own_x.sum()) / (n * (n - 1))
    within_y = (_kernel_sum(y, y) - own_y.sum()) / (m * (m - 1))
    value = within_x + within_y - 2 * _kernel_sum(x, y) / (n * m)
    return settled(value, scale=float(own_x.mean() + own_y.mean()), digits=10)


def settled(value: float, /, *, scale: float, digits: int) -> float:
    """`value` rounded to that many digits of `scale`."""
    if not math.isfinite(value) or not scale > 0:
        return value
    return round(float(value), digits - math.ceil(math.log10(scale)))


def _centred(rows: Rows) -> Floats:
    assert rows.features is not None
    return np.asarray(rows.features - rows.features.mean(axis=0))


def _moments(x: Floats, weights: Floats) -> tuple[Floats, Floats] | None:
    """The mean [d] and the covariance [d, d] (over n-1) of rows that count `weights` times; None below 2 rows."""
    used = weights > 0
    total = float(weights.sum())
    if total < 2:
        return None
    kept, counts = x[used], weights[used]
    mean = counts @ kept / total
    away = (kept - mean) * np.sqrt(counts)[:, None]
    return np.asarray(mean), np.asarray(away.T @ away / (total - 1))


def _distance(a: tuple[Floats, Floats] | None, b: tuple[Floats, Floats] | None) -> float:
    return math.nan if a is None or b is None else frechet_distance(*a, *b)


def _positive(values: Floats) -> Floats:
    """Eigenvalues below the rounding error of the largest are 0: their roots would be far from small."""
    floor = len(values) * np.finfo(np.float64).eps * float(np.abs(values).max(initial=0.0))
    return np.where(values > floor, values, 0.0)


def _kernel_sum(x: Floats, y: Floats) -> float:
    d, total = x.shape[1], 0.0
    for start in range(0, len(x), BLOCK_ROWS):
        total += float(((x[start : start + BLOCK_ROWS] @ y.T / d + 1) ** 3).sum())
    return total


def _self_kernel(x: Floats) -> Floats:
    return np.asarray((np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3)


def _over_blocks(value: float, rows: Rows, side: Integers, derivation: Derivation) -> Interval:
    assert rows.features is not None
    blocks = int(derivation.parameter or NUM_BLOCKS)
    method = f"Student's t (over {blocks} blocks)"
    block = _blocks(rows.clusters, side, blocks)
    found = []
    for number in range(blocks):
        x, y = (rows.features[(side == k) & (block == number)] for k in (0, 1))
        if min(len(x), len(y)) < 2:
            return Interval(method, reason=f"with {blocks} blocks, one has fewer than 2 rows of a side")
        found.append(mmd(x, y))
    half = float(special.stdtrit(blocks - 1, 0.5 + derivation.level / 2)) * float(np.std(found, ddof=1)) / blocks**0.5
    return Interval(method, value - half, value + half)


def _blocks(clusters: Integers, side: Integers, blocks: int) -> Integers:
    """The block of each row: the clusters of each side dealt out in turn, in order of appearance."""
    block = np.zeros(len(clusters), dtype=np.int64)
    for k in (0, 1):
        names, first, codes = np.unique(clusters[side == k], return_index=True, return_inverse=True)
        turn = np.empty(len(names), dtype=np.int64)
        turn[np.argsort(first)] = np.arange(len(names))
        block[side == k] = turn[codes] % blocks
    return block
