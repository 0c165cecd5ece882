"""Utility: what a model trained on synthetic rows does on held-out real ones (train on synthetic, test on real)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.ensemble import (  # type: ignore[import-untyped]
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from genwright.core import DataError
from genwright.core.protocols import Candidate
from genwright.measure.c2st import without_empty
from genwright.modalities.table.columns import Floats, is_category, numbers_of
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.matrix import matrices
from genwright.modalities.table.scores import Row, row

MOST_SUBGROUPS = 20


def task_of(train: pa.Table, config: TableMetricsConfig, /) -> Literal["none", "two-classes", "number"]:
    """What the target asks for: nothing, to tell two values, or to predict a number.

    Raises:
        DataError: the target or the subgroup is no column, or has other values than can be worked on.
    """
    for name, column in (("target", config.target), ("subgroup", config.subgroup)):
        if column is not None and column not in train.column_names:
            raise DataError(f"evaluate.metrics.{name}: the table has no column '{column}'")
    if config.target is None:
        return "none"
    cells = train.column(config.target)
    count = len(cells.drop_null().unique())
    if count == 2:
        return "two-classes"
    if count < 2 or is_category(cells):
        raise DataError(
            f"evaluate.metrics.target: column '{config.target}' has {count} values, and two are needed, or numbers",
            hint="choose a column of two values or of numbers, or leave the target out",
        )
    return "number"


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
            f"evaluate.metrics.subgroup: column '{column}' has {len(counts)} values",
            hint=f"choose one of at most {MOST_SUBGROUPS}",
        )
    return sorted(sorted(counts, key=lambda value: (-counts[value], value))[:MOST_SUBGROUPS])


def utility(
    candidate: Candidate, train: pa.Table, test: pa.Table, config: TableMetricsConfig, *, task: str, seed: int
) -> list[Row]:
    """One row per held-out row: what trees trained on the candidate's rows say, and trees trained on as many real."""
    assert config.target is not None
    (made, real, held), flags = matrices([candidate.rows, train, test], without=config.target)
    values = sorted(train.column(config.target).drop_null().unique().to_pylist()) if task == "two-classes" else None
    tables = (candidate.rows, train, test)
    wanted, wanted_real, actual = (_wanted(table.column(config.target), values) for table in tables)
    said = _predicted(made, wanted, held, flags, seed=seed, classes=values is not None)
    real_known = np.flatnonzero(~np.isnan(wanted_real))[: len(made)]
    said_real = _predicted(
        real[real_known], wanted_real[real_known], held, flags, seed=seed, classes=values is not None
    )
    groups = test.column("group").to_pylist()
    parts = test.column(config.subgroup).to_pylist() if config.subgroup else [None] * len(test)
    names = ("label", "score", "score_real") if values else ("actual", "predicted", "predicted_real")
    out = []
    for at in np.flatnonzero(~np.isnan(actual)).tolist():
        found = (int(actual[at]) if values else float(actual[at]), float(said[at]), float(said_real[at]))
        part = None if parts[at] is None else str(parts[at])
        cells: dict[str, Any] = dict(zip(names, found, strict=True))
        out.append(row("tstr", candidate, group=groups[at], subgroup=part, **cells))
    return out


def _wanted(cells: pa.ChunkedArray, values: list[Any] | None) -> Floats:
    """0 or 1 for the two values, or the number; NaN where there is none."""
    if values is None:
        return numbers_of(cells)
    index = {value: float(at) for at, value in enumerate(values)}
    return np.array([index.get(cell, np.nan) for cell in cells.to_pylist()], dtype=np.float64)


def _predicted(
    x: Floats, y: Floats, held: Floats, flags: list[bool], *, seed: int, classes: bool
) -> NDArray[np.float64]:
    """What trees say of the held rows; where there is nothing to learn from, the same for all."""
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    x, held = without_empty(x, held)
    if len(np.unique(y)) < 2:
        return np.full(len(held), 0.5 if classes or not len(y) else y[0])
    settings = {"categorical_features": flags, "random_state": seed % 2**32}
    if classes:
        found = HistGradientBoostingClassifier(**settings).fit(x, y).predict_proba(held)[:, 1]
    else:
        found = HistGradientBoostingRegressor(**settings).fit(x, y).predict(held)
    return np.asarray(found, dtype=np.float64)
