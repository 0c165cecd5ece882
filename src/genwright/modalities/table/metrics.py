"""How good synthetic rows are: fidelity, utility, and what they give away; every candidate in the same table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from genwright.core import ClaimDraft, Derivation
from genwright.core.protocols import Candidate, Measured
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.fidelity import coverage, quality, shapes, trends, two_samples
from genwright.modalities.table.held import Kept
from genwright.modalities.table.privacy import closest_records, membership
from genwright.modalities.table.rules import Rules
from genwright.modalities.table.scores import CLASS_SCORES, COLUMNS, Row, arrays_of
from genwright.modalities.table.utility import Task, subgroups, task_of, utility

NO_EVIDENCE = "no evidence of privacy"
_AUC = {"score": "score", "label": "label"}
_PAIR = {"a": "score", "b": "score_real", "label": "label"}
_MACRO = {"scores": CLASS_SCORES[0], "label": "label"}
_MACRO_PAIR = {"a": CLASS_SCORES[0], "b": CLASS_SCORES[1], "label": "label"}
_PART = {"part": "subgroup"}


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: TableMetricsConfig, seed: int
) -> Measured:
    """Column shapes, pair trends, two-sample test, coverage, membership inference and, with a target, utility.

    Of train and test rows the first `max_rows` are used. Means over columns have no interval, for a table's columns are
    no sample of columns. Where several test rows share a group, intervals resample
    groups; they are DeLong's otherwise.

    Raises:
        DataError: the target or the subgroup is no column, or has other values than can be worked on.
    """
    task = task_of(train, config)
    parts = subgroups(test, config.subgroup)
    rules = Rules.of(test)
    kept = Kept.of(train, rules)
    train, test = train.slice(0, config.max_rows), test.slice(0, config.max_rows)
    grouped = len(test.column("group").unique()) < len(test) or len(train.column("group").unique()) < len(train)
    rows: list[Row] = []
    drafts: list[ClaimDraft] = []
    for given in candidates:
        candidate = replace(given, rows=rules.attach(given.rows.slice(0, config.max_rows)))
        found = shapes(candidate, test) + trends(candidate, test)
        found += quality(candidate, found) + coverage(candidate, test)
        found += two_samples(candidate, test, folds=config.folds, seed=seed)
        found += membership(candidate, train, test, seed) + closest_records(candidate, train, test, seed)
        found += kept.rows(candidate) if rules else []
        if task != "none":
            found += utility(candidate, train, test, config, task=task, parts=parts, seed=seed)
        rows += found
        drafts += _drafts(candidate, found, parts, task=task, grouped=grouped)
    return Measured({name: [one.get(name) for one in rows] for name in COLUMNS}, drafts, arrays_of(rows))


def _drafts(
    candidate: Candidate, found: Sequence[Row], parts: Sequence[str], *, task: Task, grouped: bool
) -> list[ClaimDraft]:
    """Claims of the tables that have rows."""
    value = {"value": "value"}
    auc: Mapping[str, Any] = {"interval": "bootstrap", "cluster": "group"} if grouped else {"interval": "delong"}
    boot: Mapping[str, Any] = {"interval": "bootstrap", **({"cluster": "group"} if grouped else {})}
    drafts = [
        _draft(candidate, "column_shapes", "shape", Derivation("mean", value)),
        _draft(candidate, "pair_trends", "trend", Derivation("mean", value)),
        replace(_draft(candidate, "shapes_and_trends", "quality", Derivation("mean", value)), headline=False),
        _draft(candidate, "coverage", "coverage", Derivation("mean", value, **boot)),
        _draft(candidate, "c2st_auc", "c2st", Derivation("auc", _AUC, **auc), better="lower"),
        _draft(candidate, "membership_auc", "membership", Derivation("auc", _AUC, **auc), better="lower"),
        _closest(candidate),
        _draft(candidate, "constraints_held", "rules", Derivation("proportion", {"value": "value"}, interval="wilson")),
    ]
    drafts += _utility(candidate, parts, task=task, auc=auc, boot=boot)
    present = {one["table"] for one in found}
    return [draft for draft in drafts if draft.derivation.where["table"] in present]


def _utility(
    candidate: Candidate, parts: Sequence[str], *, task: Task, auc: Mapping[str, Any], boot: Mapping[str, Any]
) -> list[ClaimDraft]:
    """What the target asks for, in all held-out rows and in each subgroup."""
    if task == "none":
        return []
    if task == "number":
        roles = {"predicted": "predicted", "actual": "actual"}
        found = Derivation("r2", roles, **boot)
        real = Derivation("r2", {**roles, "predicted": "predicted_real"}, **boot)
        drafts = [_draft(candidate, "tstr_r2", "tstr", found), _draft(candidate, "tstr_r2_of_real_rows", "tstr", real)]
        return drafts + [_of_subgroup(candidate, "tstr_r2_of_subgroup", found, part) for part in parts]
    if task == "two-classes":
        metric, area = "tstr_auc", Derivation("auc", _AUC, **auc)
        difference, gap = Derivation("auc_difference", _PAIR, **auc), Derivation("auc_gap", _AUC | _PART, **boot)
    else:
        metric, area = "tstr_macro_auc", Derivation("macro_auc", _MACRO, **auc)
        difference = Derivation("macro_auc_difference", _MACRO_PAIR, **auc)
        gap = Derivation("macro_auc_gap", _MACRO | _PART, **boot)
    drafts = [_draft(candidate, metric, "tstr", area), _draft(candidate, "tstr_difference", "tstr", difference)]
    for name, derivation in ((metric, area), ("tstr_difference", difference)):
        drafts += [_of_subgroup(candidate, f"{name}_of_subgroup", derivation, part) for part in parts]
    if parts:
        drafts.append(_draft(candidate, "tstr_gap", "tstr", gap, better="lower"))
    return drafts


def _closest(candidate: Candidate) -> ClaimDraft:
    draft = _draft(candidate, "closer_to_train_share", "dcr", Derivation("mean", {"value": "value"}), better="neither")
    return replace(draft, label=_joined(candidate.label, NO_EVIDENCE), headline=False)


def _of_subgroup(candidate: Candidate, metric: str, derivation: Derivation, part: str) -> ClaimDraft:
    draft = _draft(candidate, metric, "tstr", derivation)
    where = {**draft.derivation.where, "subgroup": part}
    label = _joined(candidate.label, f"subgroup {part}")
    return replace(draft, derivation=replace(draft.derivation, where=where), label=label, headline=False)


def _joined(*labels: str) -> str:
    return "; ".join(label for label in labels if label)


def _draft(
    candidate: Candidate, metric: str, table: str, derivation: Derivation, *, better: Any = "higher"
) -> ClaimDraft:
    chosen = replace(derivation, where={"table": table, "candidate": candidate.name})
    return ClaimDraft("system", metric, "1", "scores", chosen, label=candidate.label, data="dataset", better=better)
