"""Whether the system's own score tells samples of another kind from held-out ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from genwright.core import ClaimDraft, Context, DataError, Derivation
from genwright.core.protocols import ModelledModality, Unreadable
from genwright.systems.rows import RowSystem
from genwright.systems.strangeness import SCORES, strangeness


def anomaly_rows(
    config: Any, context: Context, *, system: RowSystem, modality: ModelledModality, test: pa.Table
) -> list[dict[str, Any]]:
    """A row per held-out sample and per sample of `anomalies`, at most as many of these, with the scores there are.

    Raises:
        DataError: the source holds no legal sample.
    """
    strange = _read(config.anomalies, modality, context.root, most=len(test))
    found: list[dict[str, Any]] = []
    for kind, table in ((0, test), (1, strange)):
        groups = [f"{kind} {group}" for group in table.column("group").to_pylist()]
        scores = strangeness(system, table)
        for at, group in enumerate(groups):
            told = {name: None if values is None else float(values[at]) for name, values in scores.items()}
            found.append({"candidate": "anomalies", "anomaly": kind, "group": group, **told})
    return found


def anomaly_claims(config: Any) -> list[ClaimDraft]:
    """The AUC of each score; one that the family has not is not estimable."""
    return [
        ClaimDraft(
            "system",
            "anomaly_auc",
            f"AUC {how}",
            "generation_scores",
            Derivation(
                "auc",
                {"score": column, "label": "anomaly"},
                interval="bootstrap",
                level=config.level,
                cluster="group",
                resamples=config.resamples,
            ),
            label=how,
            data="dataset",
            better="higher",
        )
        for column, how in SCORES.items()
    ]


def _read(source: Any, modality: ModelledModality, root: Path, *, most: int) -> pa.Table:
    held: list[pa.Table] = []
    for table in _legal(source, modality, root):
        held.append(table.slice(0, most - sum(map(len, held))))
        if sum(map(len, held)) >= most:
            break
    if not held:
        raise DataError(f"evaluate.anomalies: '{source.path}' holds no legal sample", hint="look at the source")
    return pa.concat_tables(held)


def _legal(source: Any, modality: ModelledModality, root: Path) -> Iterator[pa.Table]:
    for table in modality.read(source, root=root):
        if not isinstance(table, Unreadable):
            legal = table.filter(pa.array([why is None for why in modality.validate(table)], pa.bool_()))
            if len(legal):
                yield legal
