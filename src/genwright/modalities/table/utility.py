"""Utility: what a model trained on synthetic rows does on held-out real ones (train on synthetic, test on real)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from sklearn.ensemble import (  # type: ignore[import-untyped]
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from genwright.core import DataError
from genwright.core.protocols import Candidate
from genwright.measure.c2st import without_empty
from genwright.modalities.table.columns import Floats, is_category, numbers_of
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.matrix import columns_of, matrices
from genwright.modalities.table.scores import CLASS_SCORES, Row, row

MOST_SUBGROUPS = 20
MOST_CLASSES = 20
Task = Literal["none", "two-classes", "classes", "number"]


def task_of(train: pa.Table, config: TableMetricsConfig, /) -> Task:
    """What the target asks for: nothing, to tell two values or several texts apart, or to predict a number.

    Raises:
        DataError: the target or the subgroup is no column, or has other values than can be worked on.
    """
    for name, column in (("target", config.target), ("subgroup", config.subgroup)):
        if column is not None and column not in train.column_names:
            names = ", ".join(columns_of(train).column_names)
            raise DataError(f"evaluate.metrics.{name}: the table has no column '{column}' (it has: {names})")
    if config.target is None:
        return "none"
    cells = train.column(config.target)
    count = len(cells.drop_null().unique())
    if count == 2:
        return "two-classes"
    if count < 2:
        raise DataError(
            f"evaluate.metrics.target: column '{config.target}' has {count} values, and two are needed",
            hint="choose a column of two values or more, or leave the target out",
        )
    if not is_category(cells):
        return "number"
    if count > MOST_CLASSES:
        raise DataError(
            f"evaluate.metrics.target: column '{config.target}' has {count} values, and {MOST_CLASSES} are told apart",
            hint="put rare values together in a column of their own, or choose one of fewer values or of numbers",
        )
    return "classes"


def subgroups(test: pa.Table, column: str | None, /) -> list[str]:
    """The values of the column among held-out rows, the most frequent 20 of them.

    Raises:
        DataError: it holds numbers of more values.
    """
    if column is None:
        return []
    cells = test.column(column).drop_null()
    counts = {str(one["values"]): one["counts"] for one in cells.value_counts().to_pylist()}
    if not is_category(cells) and len(counts) > MOST_SUBGROUPS:
        raise DataError(
            f"evaluate.metrics.subgroup: column '{column}' has {len(counts)} values, and {MOST_SUBGROUPS} are the most",
            hint="choose another, or put its numbers into ranges in a column of texts beside it (18-39, 40-64, ...)",
        )
    return sorted(sorted(counts, key=lambda value: (-counts[value], value))[:MOST_SUBGROUPS])


def utility(
    candidate: Candidate,
    train: pa.Table,
    test: pa.Table,
    config: TableMetricsConfig,
    *,
    task: Task,
    parts: Sequence[str],
    seed: int,
) -> list[Row]:
    """One row per held-out row: what trees trained on the candidate's rows say, and trees trained on as many real.

    The subgroup of a row is there where it is one of `parts`.
    """
    assert config.target is not None
    (made, real, held), flags = matrices([candidate.rows, train, test], without=config.target)
    values = None if task == "number" else sorted(train.column(config.target).drop_null().unique().to_pylist())
    tables = (candidate.rows, train, test)
    wanted, wanted_real, actual = (_wanted(table.column(config.target), values) for table in tables)
    learn = partial(_predicted, held=held, flags=flags, seed=seed, classes=None if values is None else len(values))
    said = learn(made, wanted)
    real_known = np.flatnonzero(~np.isnan(wanted_real))[: len(made)]
    said_real = learn(real[real_known], wanted_real[real_known])
    groups, ids = (test.column(name).to_pylist() for name in ("group", "id"))
    own = [str(cell) for cell in test.column(config.subgroup).to_pylist()] if config.subgroup else [""] * len(test)
    out = []
    for at in np.flatnonzero(~np.isnan(actual)).tolist():
        part = own[at] if own[at] in parts else None
        cells = _cells(task, float(actual[at]), said[at], said_real[at])
        out.append(row("tstr", candidate, id=ids[at], group=groups[at], subgroup=part, **cells))
    return out


def _cells(task: Task, actual: float, said: Floats, said_real: Floats) -> dict[str, Any]:
    """What a held-out row is and what is said of it, by the names of the scores table."""
    if task == "classes":
        return {"label": int(actual), **dict(zip(CLASS_SCORES, (said, said_real), strict=True))}
    if task == "two-classes":
        return {"label": int(actual), "score": float(said[-1]), "score_real": float(said_real[-1])}
    return {"actual": actual, "predicted": float(said[0]), "predicted_real": float(said_real[0])}


def _wanted(cells: pa.ChunkedArray, values: list[Any] | None) -> Floats:
    """The place of the value among `values`, or the number; NaN where there is none."""
    if values is None:
        return numbers_of(cells)
    index = {value: float(at) for at, value in enumerate(values)}
    return np.array([index.get(cell, np.nan) for cell in cells.to_pylist()], dtype=np.float64)


def _predicted(x: Floats, y: Floats, *, held: Floats, flags: list[bool], seed: int, classes: int | None) -> Floats:
    """What trees say of the held rows: the number (n, 1), or the probability of each class (n, classes).

    Where there is nothing to learn from, the same for all.
    """
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    x, held = without_empty(x, held)
    if len(np.unique(y)) < 2:
        return np.full((len(held), classes or 1), 1 / classes if classes else y[0] if len(y) else 0.5)
    settings = {"categorical_features": flags, "random_state": seed % 2**32}
    if classes is None:
        trees = HistGradientBoostingRegressor(**settings).fit(x, y)
        return np.asarray(trees.predict(held), dtype=np.float64)[:, None]
    # To stop early the trees put rows of every class aside, and of one row they cannot.
    stop = "auto" if np.unique(y, return_counts=True)[1].min() > 1 else False
    trees = HistGradientBoostingClassifier(**settings, early_stopping=stop).fit(x, y)
    found = np.zeros((len(held), classes))
    found[:, trees.classes_.astype(np.int64)] = trees.predict_proba(held)
    return found
