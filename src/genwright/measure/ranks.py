"""Estimators of order and of agreement: quantiles, AUC with DeLong's interval, correlations, R squared."""

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from genwright.core import DataError, Derivation
from genwright.measure.intervals import Interval
from genwright.measure.units import Rows
from genwright.measure.weighted import Weighted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def quantile(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The quantile at level `parameter` (median: 0.5), linear between order statistics.

    Source: Hyndman & Fan 1996, type 7.
    """
    values = rows.values["value"]
    order = np.argsort(values, kind="stable")
    share = 0.5 if derivation.parameter is None else derivation.parameter
    ascending = values[order]

    def of(weights: Floats) -> Floats:
        upto = np.cumsum(weights[:, order], axis=1)
        position = (upto[:, -1:] - 1) * share
        low = np.floor(position)
        high = np.minimum(low + 1, upto[:, -1:] - 1)
        below, above = (ascending[(upto <= rank).sum(axis=1)] for rank in (low, high))
        return np.asarray(below + (position - low)[:, 0] * (above - below))

    return Weighted(of, "there are no rows")


def auc(rows: Rows, derivation: Derivation, /) -> Weighted:
    """P(score of a row labelled 1 > score of one labelled 0), ties half. Source: Mann & Whitney 1947."""
    label = labels(rows, derivation)
    score = rows.values["score"]
    return Weighted(lambda weights: area(weights, score, label), _ONE_CLASS, label, bounds=(0.0, 1.0))


def auc_difference(rows: Rows, derivation: Derivation, /) -> Weighted:
    """AUC of the scores `a` minus that of the scores `b` on the same rows."""
    label = labels(rows, derivation)
    a, b = rows.values["a"], rows.values["b"]
    return Weighted(lambda w: area(w, a, label) - area(w, b, label), _ONE_CLASS, label, bounds=(-1.0, 1.0))


def delong(rows: Rows, derivation: Derivation, /) -> Interval:
    """DeLong's interval: of one AUC on the logit scale, so that it stays within 0 and 1; of a difference as it is.

    Source: DeLong, DeLong, Clarke-Pearson 1988; Sun & Xu 2014 (by ranks); Pepe 2003, 5.2 (logit).
    """
    label = labels(rows, derivation)
    if min(label.sum(), len(label) - label.sum()) < 2:
        return Interval("DeLong", reason="an interval needs 2 rows of each label")
    z = float(special.ndtri(0.5 + derivation.level / 2))
    if derivation.estimator == "auc":
        ones, zeros = placements(rows.values["score"], label)
        area, error = float(ones.mean()), _error(ones, zeros)
        if error == 0.0:
            return Interval("DeLong", reason="the scores of the two labels do not overlap")
        centre, half = float(special.logit(area)), z * error / (area * (1 - area))
        return Interval("DeLong (logit)", float(special.expit(centre - half)), float(special.expit(centre + half)))
    (ones_a, zeros_a), (ones_b, zeros_b) = (placements(rows.values[role], label) for role in ("a", "b"))
    value, half = float(ones_a.mean() - ones_b.mean()), z * _error(ones_a - ones_b, zeros_a - zeros_b)
    return Interval("DeLong", max(-1.0, value - half), min(1.0, value + half))


def delong_test(rows: Rows, derivation: Derivation, /) -> tuple[float | None, str]:
    """The two-sided p-value that the scores `a` and `b` have one AUC, and the method; None where it cannot be told.

    Source: DeLong et al. 1988; where rows come in clusters, Obuchowski 1997, equations 4 to 8.
    """
    label = labels(rows, derivation)
    if min(label.sum(), len(label) - label.sum()) < 2:
        return None, "a test needs 2 rows of each label"
    (ones_a, zeros_a), (ones_b, zeros_b) = (placements(rows.values[role], label) for role in ("a", "b"))
    ones, zeros = ones_a - ones_b, zeros_a - zeros_b
    error = _error(ones, zeros)
    if rows.num_clusters < len(rows):
        error = _clustered_error(ones, zeros, rows.clusters, label)
    if error == 0.0:
        return (1.0 if ones.mean() == 0.0 else None), "DeLong"
    return float(2 * special.ndtr(-abs(ones.mean()) / error)), "DeLong"


def correlation(rows: Rows, derivation: Derivation, /) -> Weighted:
    """Pearson's correlation of x and y, or Spearman's: that of their midranks."""
    x, y = rows.values["x"], rows.values["y"]
    if derivation.estimator == "pearson":
        return Weighted(lambda weights: _pearson(weights, x, y), _CONSTANT, bounds=(-1.0, 1.0))
    return Weighted(
        lambda weights: _pearson(weights, _midranks(weights, x), _midranks(weights, y)), _CONSTANT, bounds=(-1.0, 1.0)
    )


def fisher(value: float, rows: Rows, derivation: Derivation, /) -> Interval:
    """The interval on the scale of Fisher's z; its variance is 1/(n-3), for Spearman times 1 + r^2/2.

    Source: Fisher 1921; Bonett & Wright 2000, equation 3.
    """
    n = len(rows)
    if n <= 3:
        return Interval("Fisher", reason=f"Fisher's interval needs 4 rows; there are {n}")
    if abs(value) == 1.0:
        return Interval("Fisher", reason="all rows lie on one line")
    widened = 1 + value * value / 2 if derivation.estimator == "spearman" else 1.0
    half = float(special.ndtri(0.5 + derivation.level / 2)) * (widened / (n - 3)) ** 0.5
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return Interval("Fisher", float(low), float(high))


def r2(rows: Rows, derivation: Derivation, /) -> Weighted:
    """1 - sum (actual - predicted)^2 / sum (actual - mean)^2; below 0 where the mean predicts better."""
    predicted, actual = rows.values["predicted"], rows.values["actual"]

    def of(weights: Floats) -> Floats:
        mean = (weights * actual).sum(axis=1) / weights.sum(axis=1)
        spread = (weights * np.square(actual - mean[:, None])).sum(axis=1)
        missed = (weights * np.square(actual - predicted)).sum(axis=1)
        return np.asarray(1 - missed / np.where(spread > 0, spread, np.nan))

    return Weighted(of, _CONSTANT, bounds=(-np.inf, 1.0))


def labels(rows: Rows, derivation: Derivation, /) -> Integers:
    """The column `label` as 0 and 1.

    Raises:
        DataError: it holds something else.
    """
    found = rows.values["label"]
    wrong = found[~np.isin(found, (0.0, 1.0))]
    if len(wrong):
        raise DataError(f"column '{derivation.columns['label']}' holds {wrong[0]}; a label is 0 or 1")
    return found.astype(np.int64)


_ONE_CLASS = "all rows have one label"
_CONSTANT = "a column is constant"


def area(weights: Floats, score: Floats, label: Integers, /) -> Floats:
    """The AUC [r] where rows count `weights` [r, n] times each; NaN where all rows have one label."""
    order, starts, _ = _ties(score)
    ones, zeros = (np.add.reduceat((weights * (label == k))[:, order], starts, axis=1) for k in (1, 0))
    below = np.cumsum(zeros, axis=1) - zeros / 2
    pairs = ones.sum(axis=1) * zeros.sum(axis=1)
    return np.asarray((ones * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def placements(score: Floats, label: Integers, /) -> tuple[Floats, Floats]:
    """For each row of label 1 the share of label 0 below it, for each of label 0 the share of label 1 above it."""
    every = _ranks(score)
    ones, zeros = score[label == 1], score[label == 0]
    of_ones = (every[label == 1] - _ranks(ones)) / len(zeros)
    of_zeros = 1 - (every[label == 0] - _ranks(zeros)) / len(ones)
    return of_ones, of_zeros


def _error(ones: Floats, zeros: Floats) -> float:
    return float((ones.var(ddof=1) / len(ones) + zeros.var(ddof=1) / len(zeros)) ** 0.5)


def _clustered_error(ones: Floats, zeros: Floats, clusters: Integers, label: Integers) -> float:
    """The standard error of the mean placement where rows of one cluster depend on each other."""
    count = int(clusters.max()) + 1
    sums = []
    for k, values in ((1, ones), (0, zeros)):
        own = clusters[label == k]
        spread = np.bincount(own, weights=values - values.mean(), minlength=count)
        sums.append((spread, len(np.unique(own)), len(own)))
    (one, clusters_one, m), (zero, clusters_zero, n) = sums
    own_one = clusters_one / (clusters_one - 1) * float(one @ one) / m**2
    own_zero = clusters_zero / (clusters_zero - 1) * float(zero @ zero) / n**2
    both = count / (count - 1) * float(one @ zero) / (m * n)
    return float(max(0.0, own_one + own_zero + 2 * both) ** 0.5)


def _ranks(values: Floats) -> Floats:
    return np.asarray(_midranks(np.ones((1, len(values))), values)[0])


def _midranks(weights: Floats, values: Floats) -> Floats:
    order, starts, groups = _ties(values)
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(counts, axis=1) - counts + (counts + 1) / 2
    return np.asarray(middle[:, groups])


def _ties(values: Floats) -> tuple[Integers, Integers, Integers]:
    """The ascending order, where each group of equal values starts in it, and the group of each value."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    groups = np.searchsorted(ascending[starts], values)
    return order.astype(np.int64), starts.astype(np.int64), groups.astype(np.int64)


def _pearson(weights: Floats, x: Floats, y: Floats) -> Floats:
    dx, dy = (_centred(weights, values) for values in (x, y))
    below = (weights * dx * dx).sum(axis=1) * (weights * dy * dy).sum(axis=1)
    found = (weights * dx * dy).sum(axis=1) / np.sqrt(np.where(below > 0, below, np.nan))
    return np.asarray(np.clip(found, -1.0, 1.0))


def _centred(weights: Floats, values: Floats) -> Floats:
    mean = (weights * values).sum(axis=1) / weights.sum(axis=1)
    away = values - mean[:, None]
    # A constant column leaves rounding errors of its mean, which are no spread.
    small = np.abs(away).max(axis=1, initial=0.0, where=weights > 0) <= 1e-12 * np.abs(mean)
    return np.asarray(np.where(small[:, None], 0.0, away))
