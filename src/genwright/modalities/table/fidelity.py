"""Fidelity: how far columns, pairs of columns, and rows are from those of held-out real rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import bmat, coo_matrix  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from genwright.core.protocols import Candidate
from genwright.measure.c2st import classifier_scores
from genwright.measure.coverage import neighbourhoods
from genwright.modalities.table.columns import Floats
from genwright.modalities.table.matrix import columns_of, matrices, metric_entries
from genwright.modalities.table.scores import Row, row

BINS = 10
NEIGHBOURS = 5


def shapes(candidate: Candidate, test: pa.Table) -> list[Row]:
    """1 minus the Kolmogorov-Smirnov statistic of a number, or the total variation of a category, per column."""
    (made, real), flags = matrices([candidate.rows, test])
    names = columns_of(test).column_names
    return [
        row("shape", candidate, column=name, value=1.0 - _gap(made[:, at], real[:, at], category=flags[at]))
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


def trends(candidate: Candidate, test: pa.Table) -> list[Row]:
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
        out.append(row("trend", candidate, column=f"{names[one]} x {names[two]}", value=value))
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


def quality(candidate: Candidate, found: Sequence[Row]) -> list[Row]:
    """The mean shape and the mean trend, whose mean is often quoted as the quality of a table (SDMetrics)."""
    tables = [[one["value"] for one in found if one["table"] == name] for name in ("shape", "trend")]
    return [row("quality", candidate, value=float(np.mean(values))) for values in tables if values]


def two_samples(candidate: Candidate, test: pa.Table, *, folds: int, seed: int) -> list[Row]:
    """Out-of-fold scores of boosted trees that tell the candidate's rows from held-out real ones, equally many.

    Rows of one group stay in one fold, and so do rows that are the same: a copy would be told apart by its twin. Where
    that leaves too few parts for the folds, rows that are the same are not kept together. Empty where there are fewer
    groups than folds.
    """
    n = min(len(candidate.rows), len(test))
    if n < folds:
        return []
    (made, real), flags = matrices([candidate.rows.slice(0, n), test.slice(0, n)])
    named = [f"made {at}" for at in range(n)] if candidate.groups is None else [f"made {g}" for g in candidate.groups]
    groups = named[:n] + test.column("group").to_pylist()[:n]
    parts = _parts(np.concatenate((made, real)), groups, folds=folds)
    if parts is None:
        return []
    places = np.flatnonzero(flags).tolist()
    scores = classifier_scores(made, real, seed=seed, folds=folds, categorical=places, groups=parts)
    return [
        row("c2st", candidate, label=int(at < n), score=score, group=groups[at])
        for at, score in enumerate(scores.tolist())
    ]


def _parts(x: Floats, groups: list[str], *, folds: int) -> list[int] | None:
    """Which rows have to stay together, both halves of `x` in at least twice as many parts as folds."""
    _, twins = np.unique(np.nan_to_num(x, nan=-1e300), axis=0, return_inverse=True)
    _, own = np.unique(np.array(groups), return_inverse=True)
    links = coo_matrix((np.ones(len(x)), (own.ravel(), twins.ravel())))
    _, linked = connected_components(bmat([[None, links], [links.T, None]]), directed=False)
    for parts, least in ((linked[own.ravel()], 2 * folds), (own.ravel(), folds)):
        half = len(x) // 2
        largest = np.bincount(parts).max()
        if min(len(np.unique(parts[:half])), len(np.unique(parts[half:]))) >= least and largest <= half // 2:
            return [int(part) for part in parts]
    return None


def coverage(candidate: Candidate, test: pa.Table) -> list[Row]:
    """Whether each held-out row has one of the candidate's within the distance of its 5th nearest held-out row.

    Source: Naeem et al. 2020. Empty where a side has no more than 5 rows.
    """
    n = min(len(candidate.rows), len(test))
    if n <= NEIGHBOURS:
        return []
    made, real = metric_entries(candidate.rows.slice(0, n), test.slice(0, n))
    groups = test.column("group").to_pylist()
    found = neighbourhoods(real, made, k=NEIGHBOURS).coverage
    return [row("coverage", candidate, value=float(one), group=groups[at]) for at, one in enumerate(found)]
