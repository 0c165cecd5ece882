"""How good synthetic rows are: fidelity, utility, and what they give away; every candidate in the same table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]

from genwright.core import ClaimDraft, DataError, Derivation
from genwright.core.protocols import Candidate, Measured
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.matrix import columns_of, distances, matrices

FOLDS = 5
BINS = 10
Row = dict[str, Any]
Floats = NDArray[np.float64]


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: TableMetricsConfig, seed: int
) -> Measured:
    """Column shapes, pair trends, two-sample test, membership inference and, with a target, utility.

    Raises:
        DataError: the target is no column, or has other than two values.
    """
    rows: list[Row] = []
    drafts: list[ClaimDraft] = []
    for candidate in candidates:
        rows += _shapes(candidate, test) + _trends(candidate, test)
        rows += _two_samples(candidate, test, seed) + _membership(candidate, train, test, seed)
        drafts += _drafts(candidate)
        if config.target is not None:
            rows += _utility(candidate, train, test, config.target, seed)
            drafts += _utility_drafts(candidate)
    names = ("table", "candidate", "column", "value", "label", "score", "score_real", "group")
    return Measured({name: [row.get(name) for row in rows] for name in names}, drafts)


def _shapes(candidate: Candidate, test: pa.Table) -> list[Row]:
    """1 minus the Kolmogorov-Smirnov statistic of a number, or the total variation of a category, per column."""
    (made, real), flags = matrices([candidate.rows, test])
    names = columns_of(test).column_names
    return [
        _row("shape", candidate, column=name, value=1.0 - _gap(made[:, at], real[:, at], category=flags[at]))
        for at, name in enumerate(names)
    ]


def _gap(a: Floats, b: Floats, *, category: bool) -> float:
    """The largest difference of distribution functions, missing cells first; for categories half the sum of all."""
    a, b = np.nan_to_num(a, nan=-np.inf), np.nan_to_num(b, nan=-np.inf)
    values = np.unique(np.concatenate((a, b)))
    at_a = np.searchsorted(np.sort(a), values, side="right") / len(a)
    at_b = np.searchsorted(np.sort(b), values, side="right") / len(b)
    if category:
        return float(0.5 * np.abs(np.diff(at_a, prepend=0.0) - np.diff(at_b, prepend=0.0)).sum())
    return float(np.abs(at_a - at_b).max())


def _trends(candidate: Candidate, test: pa.Table) -> list[Row]:
    """1 minus the total variation between the joint tables of every pair of columns, numbers in the test's deciles."""
    (made, real), flags = matrices([candidate.rows, test])
    names = columns_of(test).column_names
    cells = [_binned(made[:, at], real[:, at], category=flags[at]) for at in range(len(names))]
    out = []
    for one, two in combinations(range(len(names)), 2):
        width = 1 + int(max(cells[two][0].max(), cells[two][1].max()))
        pairs = [cells[one][side] * width + cells[two][side] for side in (0, 1)]
        size = 1 + int(max(pair.max() for pair in pairs))
        shares = [np.bincount(pair, minlength=size) / len(pair) for pair in pairs]
        value = 1.0 - 0.5 * float(np.abs(shares[0] - shares[1]).sum())
        out.append(_row("trend", candidate, column=f"{names[one]} x {names[two]}", value=value))
    return out


def _binned(made: Floats, real: Floats, *, category: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells of both, by the deciles of the real one; 0 is missing."""
    if category:
        return np.nan_to_num(made + 1, nan=0).astype(np.int64), np.nan_to_num(real + 1, nan=0).astype(np.int64)
    known = real[~np.isnan(real)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)

    def placed(x: Floats) -> NDArray[np.int64]:
        return np.where(np.isnan(x), 0, 1 + np.searchsorted(edges, np.nan_to_num(x), side="left"))

    return placed(made), placed(real)


def _two_samples(candidate: Candidate, test: pa.Table, seed: int) -> list[Row]:
    """Out-of-fold scores of boosted trees that tell the candidate's rows from held-out real ones, equally many."""
    n = min(len(candidate.rows), len(test))
    (made, real), flags = matrices([candidate.rows.slice(0, n), test.slice(0, n)])
    x, y = np.concatenate((made, real)), np.repeat([1, 0], n)
    # Rows that are the same, or of one group, stay in one fold: a copy is not told apart by its twin.
    _, groups = np.unique(np.nan_to_num(x, nan=-1e300), axis=0, return_inverse=True)
    scores = np.zeros(2 * n)
    for fit, held in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32).split(x, y, groups.ravel()):
        scores[held] = _trees(flags, seed).fit(x[fit], y[fit]).predict_proba(x[held])[:, 1]
    return [
        _row("c2st", candidate, label=int(label), score=float(score)) for label, score in zip(y, scores, strict=True)
    ]


def _trees(flags: list[bool], seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(categorical_features=flags, random_state=seed % 2**32)


def _membership(candidate: Candidate, train: pa.Table, test: pa.Table, seed: int) -> list[Row]:
    """How near the nearest of the candidate's rows is, for train rows (members) and as many held-out rows."""
    n = min(len(train), len(test))
    chosen = np.random.default_rng(seed).permutation(len(train))[:n]
    out = []
    for label, rows in ((1, train.take(pa.array(chosen))), (0, test.slice(0, n))):
        gaps, _ = distances(rows, candidate.rows)
        groups = rows.column("group").to_pylist()
        out += [
            _row("membership", candidate, label=label, score=-gap, group=group)
            for gap, group in zip(gaps.tolist(), groups, strict=True)
        ]
    return out


def _utility(candidate: Candidate, train: pa.Table, test: pa.Table, target: str, seed: int) -> list[Row]:
    """Scores of held-out rows by trees trained on the candidate's rows, and by trees trained on as many real ones."""
    values = _two_values(train, target)
    (made, real, held), flags = matrices([candidate.rows, train, test], without=target)
    scores = []
    for matrix, table in ((made, candidate.rows), (real, train)):
        labels, known = _labels(table, target, values)
        x, y = matrix[known][: len(made)], labels[known][: len(made)]
        found = np.full(len(held), 0.5)
        if len(np.unique(y)) == 2:
            found = _trees(flags, seed).fit(x, y).predict_proba(held)[:, 1]
        scores.append(found)
    y, known = _labels(test, target, values)
    groups = test.column("group").to_pylist()
    return [
        _row(
            "tstr",
            candidate,
            label=int(y[at]),
            score=float(scores[0][at]),
            score_real=float(scores[1][at]),
            group=groups[at],
        )
        for at in np.flatnonzero(known).tolist()
    ]


def _two_values(train: pa.Table, target: str) -> list[Any]:
    if target not in train.column_names:
        raise DataError(f"evaluate.metrics.target: the table has no column '{target}'")
    values = sorted(train.column(target).drop_null().unique().to_pylist())
    if len(values) != 2:
        raise DataError(
            f"evaluate.metrics.target: column '{target}' has {len(values)} values, and two are needed",
            hint="choose a column of two values, or leave the target out",
        )
    return values


def _labels(table: pa.Table, target: str, values: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    cells = table.column(target).to_pylist()
    known = np.array([cell in values for cell in cells], dtype=np.bool_)
    return np.array([int(cell == values[1]) for cell in cells], dtype=np.int64), known


def _row(table: str, candidate: Candidate, **cells: Any) -> Row:
    return {"table": table, "candidate": candidate.name, **cells}


def _drafts(candidate: Candidate) -> list[ClaimDraft]:
    mean, auc = {"value": "value"}, {"score": "score", "label": "label"}
    return [
        _draft(candidate, "column_shapes", "shape", "mean", mean, interval="bootstrap", better="higher"),
        _draft(candidate, "pair_trends", "trend", "mean", mean, interval="bootstrap", better="higher"),
        _draft(candidate, "c2st_auc", "c2st", "auc", auc, interval="delong", better="lower"),
        _draft(candidate, "membership_auc", "membership", "auc", auc, interval="delong", better="lower"),
    ]


def _utility_drafts(candidate: Candidate) -> list[ClaimDraft]:
    auc = {"score": "score", "label": "label"}
    pair = {"a": "score", "b": "score_real", "label": "label"}
    return [
        _draft(candidate, "tstr_auc", "tstr", "auc", auc, interval="delong", better="higher"),
        _draft(candidate, "tstr_difference", "tstr", "auc_difference", pair, interval="delong", better="higher"),
    ]


def _draft(
    candidate: Candidate,
    metric: str,
    table: str,
    estimator: Any,
    columns: dict[str, str],
    *,
    interval: Any,
    better: Any,
) -> ClaimDraft:
    where = {"table": table, "candidate": candidate.name}
    derivation = Derivation(estimator, columns, where=where, interval=interval)
    return ClaimDraft("system", metric, "1", "scores", derivation, label=candidate.label, data="dataset", better=better)
