"""The data stage: sources to a cleaned, split, documented dataset, in two passes over the texts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from genwright.core import Context, DataError, Produced, StageResult, modality_component
from genwright.core.digest import canonical_json
from genwright.measure import write_scores
from genwright.modalities.files.packages import fetch
from genwright.stages.data.claims import claims_of
from genwright.stages.data.config import DataConfig
from genwright.stages.data.datasheet import datasheet
from genwright.stages.data.finish import finish, stop_if_asked
from genwright.stages.data.gather import Gathered, Gatherer, settled, source_bytes
from genwright.stages.data.outcome import Row
from genwright.stages.data.rows import prepare_rows
from genwright.stages.data.writing import DOCUMENT, DROPPED, table_writer


def run(config: DataConfig, context: Context, /) -> StageResult:
    """The dataset with its scores: one row per document, dropped ones included.

    Raises:
        DataError: a source cannot be read, nothing is left, or there are fewer groups than splits.
        Interrupted: the user stopped the work.
    """
    fetch(config.sources, progress=context.progress)
    if modality_component(context.modality).rows:
        return prepare_rows(config, context)
    config = settled(config, root=context.root)
    dataset, scores = context.folder("dataset"), context.folder("data_scores")
    spill_path = context.scratch / "survivors.parquet"
    with table_writer(dataset / "dropped.parquet", schema=DROPPED) as dropped:
        with table_writer(spill_path, schema=DOCUMENT, compression="lz4") as spill:
            gathered = _gather(config, context, Gatherer(config, spill=spill, dropped=dropped))
        _something_left(gathered.rows)
        finish(config, context, gathered=gathered, spill_path=spill_path, dataset=dataset, dropped=dropped)
    sheet = datasheet(config, rows=gathered.rows, dataset=dataset, root=context.root)
    (dataset / "datasheet.json").write_bytes(canonical_json(sheet))
    write_scores(scores, _columns(gathered.rows))
    artifacts = {"dataset": Produced("dataset", dataset), "data_scores": Produced("scores", scores)}
    return StageResult(artifacts, claims_of(gathered.rows))


def _gather(config: DataConfig, context: Context, gatherer: Gatherer) -> Gathered:
    with context.progress.task("read and clean", total=source_bytes(config, root=context.root)) as task:

        def on_batch(num_documents: int, num_bytes: int) -> None:
            stop_if_asked(context)
            task.advance(num_bytes, note=f"{len(gatherer.gathered.rows):,} documents")

        return gatherer.run(context.root, modality=context.modality, on_batch=on_batch)


def _something_left(rows: Sequence[Row]) -> None:
    if any(row.kept for row in rows):
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in Counter(row.reason for row in rows).most_common())
    raise DataError(
        f"none of {len(rows)} document(s) is left after cleaning ({reasons or 'the sources are empty'})",
        hint="check the sources and the filters; [data.filters] min_bytes, quality and languages decide most",
    )


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {
        "id": [row.id for row in rows],
        "source": [row.source for row in rows],
        "group": [row.group for row in rows],
        "status": ["kept" if row.kept else "dropped" for row in rows],
        "split": [row.split or None for row in rows],
        "step": [row.step or None for row in rows],
        "reason": [row.reason or None for row in rows],
        "bytes_in": [row.bytes_in for row in rows],
        "bytes_out": [row.bytes_out for row in rows],
        "redactions": [row.num_redactions for row in rows],
        "passages_removed": [row.passages_removed for row in rows],
        "near_duplicate": [row.near_duplicate for row in rows],
        "ngrams": [row.test_ngrams for row in rows],
        "ngrams_in_train": [row.test_ngrams_in_train for row in rows],
    }
