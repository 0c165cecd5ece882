"""The data stage for samples that stand for themselves: read, validate, drop what is there already, split by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import ClaimDraft, Context, DataError, Derivation, Produced, StageResult, modality_component
from genwright.core.digest import canonical_json
from genwright.core.protocols import RowModality, Unreadable
from genwright.measure import write_scores
from genwright.modalities.dataset import SPLITS
from genwright.stages.data.datasheet import row_datasheet
from genwright.stages.data.finish import stop_if_asked
from genwright.stages.data.split import split_groups

GIVEN_SPLIT = "split"
_REASONS = (("reason", pa.string()), ("step", pa.string()))


@dataclass
class Survey:
    """What the first pass leaves in memory: a group and a given split per surviving row, and counts of the rest."""

    groups: list[str] = field(default_factory=list)
    given: list[str | None] = field(default_factory=list)
    dropped: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (source, step, reason)
    sources: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    keys: dict[bytes, str] = field(default_factory=dict)


def prepare_rows(config: Any, context: Context, /) -> StageResult:
    """The dataset with its scores: counts by source, split and reason.

    Raises:
        DataError: a source cannot be read, nothing is left, or there are fewer groups than splits.
        Interrupted: the user stopped the work.
    """
    dataset = context.folder("dataset")
    survey, spill = Survey(), context.scratch / "survivors.parquet"
    modality: RowModality = modality_component(context.modality).load()()
    with context.progress.task("read and validate", total=None) as task:
        writer = _Writer(spill, dropped=dataset / "dropped.parquet")
        try:
            for table, source in _tables(config, context, modality, survey):
                stop_if_asked(context)
                _take(table, source, modality, config, survey, writer)
                task.advance(len(table), note=f"{len(survey.groups):,} samples")
        finally:
            writer.close()
    reasons = ", ".join(f"{reason} {count}" for (_, _, reason), count in survey.dropped.most_common())
    if not survey.groups:
        raise DataError(f"no sample is left ({reasons or 'the sources are empty'})", hint="look at the sources")
    if reasons:
        context.progress.say(f"  {len(survey.groups):,} samples kept; dropped: {reasons}")
    splits = _splits(config, context, survey)
    _write_splits(spill, dataset, splits, context)
    columns = _counts(survey, splits)
    sheet = row_datasheet(config, columns=columns, dataset=dataset, root=context.root)
    (dataset / "datasheet.json").write_bytes(canonical_json(sheet))
    scores = context.folder("data_scores")
    write_scores(scores, columns)
    artifacts = {"dataset": Produced("dataset", dataset), "data_scores": Produced("scores", scores)}
    return StageResult(artifacts, _claims(columns))


def _tables(config: Any, context: Context, modality: RowModality, survey: Survey) -> Iterator[tuple[pa.Table, Any]]:
    """Tables of every source up to `max_samples` in all; what cannot be read is counted."""
    left = config.max_samples
    for source in config.sources:
        for item in modality.read(source, root=context.root):
            if isinstance(item, Unreadable):
                survey.dropped[(source.label, "read", item.reason)] += 1
                continue
            table = item if left is None else item.slice(0, left)
            left = None if left is None else left - len(table)
            yield table, source
            if left == 0:
                return


def _take(table: pa.Table, source: Any, modality: RowModality, config: Any, survey: Survey, writer: _Writer) -> None:
    """Keeps the legal rows that are not there yet, under names of their own."""
    ids, groups = table.column("id").to_pylist(), table.column("group").to_pylist()
    given = table.column(GIVEN_SPLIT).to_pylist() if GIVEN_SPLIT in table.column_names else [None] * len(table)
    reasons: list[tuple[str, str] | None] = []
    for row, (why, key) in enumerate(zip(modality.validate(table), modality.keys(table), strict=True)):
        ids[row] = _unique(ids[row], survey.ids)
        digest = sha256(key).digest()[:16]
        if why is None and config.duplicates != "keep" and digest in survey.keys:
            if config.duplicates == "drop":
                reasons.append(("exact-duplicate", "exact"))
                continue
            groups[row] = survey.keys[digest]
        reasons.append(None if why is None else (why, "validate"))
        if why is None:
            survey.keys.setdefault(digest, groups[row])
    table = table.set_column(table.column_names.index("id"), "id", pa.array(ids, pa.string()))
    table = table.set_column(table.column_names.index("group"), "group", pa.array(groups, pa.string()))
    for name, value in (("source", source.label), ("licence", source.licence)):
        table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    kept = pa.array([reason is None for reason in reasons], pa.bool_())
    writer.add(table.filter(kept), table, reasons)
    for row, reason in enumerate(reasons):
        if reason is None:
            survey.groups.append(groups[row])
            survey.given.append(given[row])
            survey.sources.append(source.label)
        else:
            survey.dropped[(source.label, reason[1], reason[0])] += 1


def _unique(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}~{number}"
    taken.add(candidate)
    return candidate


class _Writer:
    """Survivors to one file, the rest with its reasons to another; both get their columns from the first table."""

    def __init__(self, spill: Path, *, dropped: Path) -> None:
        self._paths = {"spill": spill, "dropped": dropped}
        self._files: dict[str, pq.ParquetWriter] = {}

    def add(self, kept: pa.Table, table: pa.Table, reasons: list[tuple[str, str] | None]) -> None:
        columns = [name for name in table.column_names if name != GIVEN_SPLIT]
        self._write("spill", kept.select(columns))
        gone = [row for row, reason in enumerate(reasons) if reason is not None]
        lost = table.take(pa.array(gone, pa.int64())).select(columns)
        for place, (name, kind) in enumerate(_REASONS):
            lost = lost.append_column(name, pa.array([reasons[row][place] for row in gone], kind))  # type: ignore[index]
        self._write("dropped", lost)

    def _write(self, name: str, table: pa.Table) -> None:
        if name not in self._files:
            self._files[name] = pq.ParquetWriter(self._paths[name], table.schema, compression="zstd")
        self._files[name].write_table(_fitted(table, self._files[name].schema))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of the first one; those that it has not are null.

    Raises:
        DataError: it has others, or what cannot be of their types.
    """
    source = table.column("source")[0].as_py() if len(table) else "?"
    more = [name for name in table.column_names if name not in schema.names]
    if more:
        raise DataError(
            f"source '{source}' has columns that the first source has not: {', '.join(more)}",
            hint="name it first in data.sources, or give all sources the same columns",
        )
    held = {name: table.column(name) for name in table.column_names}
    columns = {name: held.get(name, pa.nulls(len(table), schema.field(name).type)) for name in schema.names}
    try:
        return pa.table(columns).cast(schema)
    except pa.ArrowException as error:
        raise DataError(
            f"source '{source}' holds values of another type than the first source ({error})",
            hint="give the columns of all sources the same types",
        ) from None


def _splits(config: Any, context: Context, survey: Survey) -> list[str]:
    """The split of every row: the one that its source gives to its group, or one by chance per group."""
    fixed = {group: split for group, split in zip(survey.groups, survey.given, strict=True) if split is not None}
    open_rows = [(group, 1) for group in survey.groups if group not in fixed]
    if not open_rows:
        return [fixed[group] for group in survey.groups]
    settings = config.split
    if "test" in fixed.values():
        settings = settings.model_copy(update={"test": 0.0})
    drawn = split_groups(open_rows, config=settings, seed=context.seed_for("split"), wanted=_wanted(settings))
    return [fixed.get(group) or drawn[group] for group in survey.groups]


def _wanted(settings: Any) -> tuple[str, ...]:
    return tuple(split for split in SPLITS if split != "test" or settings.test > 0)


def _write_splits(spill: Path, dataset: Path, splits: list[str], context: Context) -> None:
    with pq.ParquetFile(spill, pre_buffer=False) as source:
        files = {
            split: pq.ParquetWriter(dataset / f"{split}.parquet", source.schema_arrow, compression="zstd")
            for split in SPLITS
        }
        at = 0
        try:
            for batch in source.iter_batches(batch_size=4096):
                stop_if_asked(context)
                own = splits[at : at + len(batch)]
                at += len(batch)
                for split, file in files.items():
                    mask = pa.array([one == split for one in own], pa.bool_())
                    file.write_table(pa.Table.from_batches([batch]).filter(mask))
        finally:
            for file in files.values():
                file.close()


def _counts(survey: Survey, splits: list[str]) -> dict[str, list[Any]]:
    """One row per source and split, and one per source and reason, with how many samples it counts."""
    kept = Counter(zip(survey.sources, splits, strict=True))
    rows: list[tuple[Any, ...]] = [
        (source, "kept", split, None, None, count) for (source, split), count in sorted(kept.items())
    ]
    rows += [
        (source, "dropped", None, step, reason, count)
        for (source, step, reason), count in sorted(survey.dropped.items())
    ]
    names = ("source", "status", "split", "step", "reason", "samples")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _claims(columns: dict[str, list[Any]]) -> list[ClaimDraft]:
    def draft(metric: str, where: dict[str, Any], *, label: str = "", headline: bool = True) -> ClaimDraft:
        derivation = Derivation("sum", {"value": "samples"}, where=where)
        return ClaimDraft(
            "dataset", metric, "samples", "data_scores", derivation, label=label, data="dataset", headline=headline
        )

    reasons = sorted({reason for reason in columns["reason"] if reason})
    return [
        draft("samples_kept", {"status": "kept"}),
        *(draft("samples", {"split": split}, label=split) for split in SPLITS if split in columns["split"]),
        *(draft("samples_dropped", {"reason": reason}, label=reason, headline=False) for reason in reasons),
    ]
