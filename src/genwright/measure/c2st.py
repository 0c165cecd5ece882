"""Classifier two-sample test: how well a classifier tells two sets of rows apart."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_CATEGORIES = 255  # the most that the classifier's histograms hold


def classifier_scores(
    a: Floats,
    b: Floats,
    *,
    seed: int,
    folds: int = 5,
    categorical: Sequence[int] = (),
    groups: Sequence[Hashable] | None = None,
) -> Floats:
    """Out-of-fold probability [n_a + n_b], rows of `a` first, that a row is from `a`; its AUC is the test's statistic.

    `a` [n_a, d] and `b` [n_b, d] are numbers, NaN where missing; columns `categorical` hold codes, of which the most
    common 254 stay apart and the others share one. Rows with the same of `groups` (one name per row, `a` first) lie in
    one fold: copies of a row on both sides of a fold would be recognised. The classifier is scikit-learn's gradient
    boosting over histograms at its default setting. Source: Lopez-Paz & Oquab 2017 (arXiv:1610.06545).

    Raises:
        DataError: the widths differ, or there are fewer rows, or groups, of a side than folds.
    """
    # Costs a second to import, and most of what measures needs no classifier.
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]

    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise DataError(f"a two-sample test needs two matrices of one width, but got {a.shape} and {b.shape}")
    rows = np.concatenate([a, b]).astype(np.float64)
    label = np.repeat([1, 0], [len(a), len(b)]).astype(np.int64)
    for column in categorical:
        rows[:, column] = _coded(rows[:, column])
    scores = np.empty(len(rows))
    for train, test in _folds(label, groups, folds=folds, seed=seed):
        classifier = HistGradientBoostingClassifier(
            categorical_features=list(categorical) or None, random_state=seed % 2**32
        )
        seen, asked = without_empty(rows[train], rows[test])
        classifier.fit(seen, label[train])
        scores[test] = classifier.predict_proba(asked)[:, 1]
    return scores


def without_empty(train: Floats, test: Floats, /) -> tuple[Floats, Floats]:
    """Both matrices with 0 for columns that hold nothing in `train`: the trees cannot bin them."""
    empty = np.isnan(train).all(axis=0)
    return np.where(empty, 0.0, train), np.where(empty, 0.0, test)


def _folds(
    label: Integers, groups: Sequence[Hashable] | None, *, folds: int, seed: int
) -> list[tuple[Integers, Integers]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # type: ignore[import-untyped]

    if groups is not None and len(groups) != len(label):
        raise DataError(f"groups has {len(groups)} names for {len(label)} rows")
    numbers: dict[Hashable, int] = {}
    names = range(len(label)) if groups is None else groups
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    for side, name in ((1, "a"), (0, "b")):
        units = len(np.unique(codes[label == side]))
        if units < folds:
            raise DataError(f"{units} independent rows of {name} cannot be split into {folds} folds")
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = splitter(folds, shuffle=True, random_state=seed % 2**32).split(
        label, label, None if groups is None else codes
    )
    found = [(train, test) for train, test in split if len(test)]
    if any(len(np.unique(label[train])) < 2 for train, _ in found):
        raise DataError(f"some of {folds} folds leave rows of one side only; the groups are too large")
    return found


def _coded(column: Floats) -> Floats:
    """Codes 0, 1, ... by falling frequency; NaN stays."""
    present = ~np.isnan(column)
    values, codes, counts = np.unique(column[present], return_inverse=True, return_counts=True)
    place = np.empty(len(values))
    place[np.argsort(-counts, kind="stable")] = np.arange(len(values))
    coded = np.full(len(column), np.nan)
    coded[present] = np.minimum(place[codes], MAX_CATEGORIES - 1)
    return coded
