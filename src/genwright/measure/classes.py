"""The AUC of several classes, and how far it lies apart between groups of rows."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from genwright.core import DataError, Derivation
from genwright.measure.intervals import Interval
from genwright.measure.ranks import area, labels, placements
from genwright.measure.units import Rows
from genwright.measure.weighted import Weighted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOO_FEW = "no group has two rows of two classes each"
_ONE_GROUP = "there are not two groups that have two rows of two classes each"


def macro_auc(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The mean over classes of the AUC of a class's own score, its rows against all others.

    Rows must have gone through `enough`. Source: Provost & Domingos 2001, with equal weights (macro, one against rest).
    """
    label, (scores,) = _classes(rows, derivation)
    return Weighted(lambda weights: _macro(weights, scores, label), TOO_FEW, label, bounds=(0.0, 1.0))


def macro_auc_difference(rows: Rows, derivation: Derivation, /) -> Weighted:
    """That of the scores `a` minus that of the scores `b` on the same rows."""
    label, (a, b) = _classes(rows, derivation)
    return Weighted(lambda w: _macro(w, a, label) - _macro(w, b, label), TOO_FEW, label, bounds=(-1.0, 1.0))


def auc_gap(rows: Rows, derivation: Derivation, /) -> Weighted:
    """The largest AUC of a group `part` minus the smallest; of several classes (`macro_auc_gap`) that of `macro_auc`.

    A gap of equal groups is above 0 by chance, and a resample's is once more: the interval is the bootstrap's
    standard error around the estimate, and is of what samples of this size give on average. Rows must have gone
    through `enough`.
    """
    if derivation.estimator == "auc_gap":
        label, score = labels(rows, derivation), rows.values["score"]
        return _gap(rows, label, lambda weights, own: area(weights, score[own], label[own]))
    label, (scores,) = _classes(rows, derivation)
    return _gap(rows, label, lambda weights, own: _macro(weights, scores[own], label[own]))


def _gap(rows: Rows, label: Integers, of: Callable[[Floats, Integers], Floats]) -> Weighted:
    part = _parts(rows)
    members = [np.flatnonzero(part == one).astype(np.int64) for one in np.unique(part)]

    def gap(weights: Floats) -> Floats:
        if len(members) < 2:
            return np.full(len(weights), np.nan)
        found = np.stack([of(weights[:, own], own) for own in members])
        return np.asarray(found.max(axis=0) - found.min(axis=0))

    return Weighted(gap, _ONE_GROUP, _cells(part, label), "error", (0.0, 1.0))


def enough(rows: Rows, derivation: Derivation, /) -> Rows:
    """The rows of which a group (all rows are one where there is no `part`) has two of their class, and two classes."""
    label, part = _whole(rows, derivation), _parts(rows)
    _, cell, counts = np.unique(_cells(part, label), return_inverse=True, return_counts=True)
    often = counts[cell] >= 2
    many = [one for one in np.unique(part) if len(np.unique(label[often & (part == one)])) >= 2]
    return rows.take(np.flatnonzero(often & np.isin(part, many)).astype(np.int64))


def delong(rows: Rows, derivation: Derivation, /) -> Interval:
    """DeLong's interval of a mean of AUCs: of one on the logit scale, of a difference as it is.

    The variance is that of each row's part in all AUCs, summed over classes of which the sizes are given (own
    derivation from DeLong et al. 1988; of two classes it is theirs).
    """
    label, given = _classes(rows, derivation)
    pieces = [_influence(scores, label) for scores in given]
    z = float(special.ndtri(0.5 + derivation.level / 2))
    if derivation.estimator == "macro_auc":
        ((value, moved),) = pieces
        error = _error(moved, label)
        if error == 0.0 or not 0.0 < value < 1.0:
            return Interval("DeLong", reason="the scores of the classes do not overlap")
        centre, half = float(special.logit(value)), z * error / (value * (1 - value))
        return Interval("DeLong (logit)", float(special.expit(centre - half)), float(special.expit(centre + half)))
    (a, moved_a), (b, moved_b) = pieces
    half = z * _error(moved_a - moved_b, label)
    return Interval("DeLong", max(-1.0, a - b - half), min(1.0, a - b + half))


def _influence(scores: Floats, label: Integers) -> tuple[float, Floats]:
    """The mean AUC, and what each row contributes to it, but for a constant of its class."""
    classes = np.unique(label)
    moved, areas = np.zeros(len(label)), []
    for k in classes:
        own = label == k
        ones, zeros = placements(scores[:, k], own.astype(np.int64))
        moved[own] += ones / own.sum()
        moved[~own] += zeros / (~own).sum()
        areas.append(float(ones.mean()))
    return float(np.mean(areas)), moved / len(classes)


def _error(moved: Floats, label: Integers) -> float:
    return float(sum((label == k).sum() * moved[label == k].var(ddof=1) for k in np.unique(label)) ** 0.5)


def _macro(weights: Floats, scores: Floats, label: Integers) -> Floats:
    areas = [area(weights, scores[:, k], (label == k).astype(np.int64)) for k in np.unique(label)]
    return np.asarray(np.mean(np.stack(areas), axis=0))


def _classes(rows: Rows, derivation: Derivation) -> tuple[Integers, Sequence[Floats]]:
    """The class of each row, and the scores [n, k] of the one array or of both.

    Raises:
        DataError: a label is no class that the scores have.
    """
    assert rows.features is not None
    given = np.split(rows.features, 2 if derivation.estimator == "macro_auc_difference" else 1, axis=1)
    label, count = _whole(rows, derivation), given[0].shape[1]
    if label.max(initial=0) >= count:
        name = derivation.columns["label"]
        raise DataError(f"column '{name}' holds {label.max()}, and the scores are of classes 0 to {count - 1}")
    return label, given


def _whole(rows: Rows, derivation: Derivation) -> Integers:
    label = rows.values["label"]
    wrong = label[(label < 0) | (label != np.floor(label))]
    if len(wrong):
        raise DataError(f"column '{derivation.columns['label']}' holds {wrong[0]}; a class is 0, 1, 2 and so on")
    return label.astype(np.int64)


def _parts(rows: Rows) -> Integers:
    return rows.values.get("part", np.zeros(len(rows))).astype(np.int64)


def _cells(part: Integers, label: Integers) -> Integers:
    """A number for each pair of group and class."""
    return np.asarray(part * (label.max(initial=0) + 1) + label, dtype=np.int64)
