"""The second pass: near-duplicates, groups and splits from the facts; then each text to its file."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from genwright.core import Context, Interrupted
from genwright.core.digest import canonical_json
from genwright.modalities.dataset import SPLITS
from genwright.stages.data.config import DataConfig
from genwright.stages.data.contamination import measure_contamination
from genwright.stages.data.gather import Gathered
from genwright.stages.data.near import group_names, mark_near_duplicates
from genwright.stages.data.outcome import Row
from genwright.stages.data.split import split_groups
from genwright.stages.data.writing import DOCUMENT, TableWriter, table_writer


@dataclass(frozen=True)
class Ending:
    """What the second pass works on: documents that survived the first, with their facts in the same order."""

    rows: Sequence[Row]
    stands_for: dict[int, int]
    spill_path: Path
    dataset: Path


def finish(
    config: DataConfig, context: Context, *, gathered: Gathered, spill_path: Path, dataset: Path, dropped: TableWriter
) -> None:
    """Decides what is still open for each row of `gathered`, and fills the dataset's folder."""
    rows = [gathered.rows[index] for index in gathered.survivors]
    ending = Ending(rows, _settle_near_duplicates(config, gathered, rows), spill_path, dataset)
    _settle_splits(config, rows, seed=context.seed_for("split"))
    digests = _write(ending, dropped, context)
    measure_contamination(config, context, rows=rows, dataset=dataset)
    (dataset / "splits.json").write_bytes(canonical_json(_splits(config, rows, digests)))


def stop_if_asked(context: Context) -> None:
    """Ends the stage where the user has asked for it.

    Raises:
        Interrupted: they have.
    """
    if context.should_stop():
        raise Interrupted("stopped while preparing the data", hint="run again: this stage starts over")


def _settle_near_duplicates(config: DataConfig, gathered: Gathered, rows: Sequence[Row]) -> dict[int, int]:
    if gathered.near is None:
        return {}
    pairs = gathered.near.pairs()
    gathered.near = None  # half a kilobyte and more per document, not needed again
    stands_for = mark_near_duplicates(rows, pairs=pairs)
    for row, name in zip(rows, group_names(rows, pairs=pairs), strict=True):
        row.group = name
    if config.near.duplicates == "group":
        return {}
    for index in stands_for:
        rows[index].reason, rows[index].step, rows[index].bytes_out = "near-duplicate", "near", 0
    return stands_for


def _settle_splits(config: DataConfig, rows: Sequence[Row], *, seed: int) -> None:
    sizes = [(row.group, row.bytes_out) for row in rows if row.kept]
    placed = split_groups(sizes, config=config.split, seed=seed)
    for row in rows:
        row.split = placed[row.group] if row.kept else ""


def _write(ending: Ending, dropped: TableWriter, context: Context) -> dict[str, str]:
    """Each survivor to its split or to `dropped`; the digest of each split."""
    digests = {split: sha256() for split in SPLITS}
    with ExitStack() as stack:
        stack.enter_context(context.progress.task("write splits", total=len(ending.rows)))
        writers = {
            split: stack.enter_context(table_writer(ending.dataset / f"{split}.parquet", schema=DOCUMENT))
            for split in SPLITS
        }
        for index, (row, document) in enumerate(zip(ending.rows, _spilled(ending.spill_path), strict=True)):
            stop_if_asked(context)
            document["group"] = row.group
            if row.kept:
                writers[row.split].add(document)
                digests[row.split].update(canonical_json([row.id, sha256(document["text"].encode()).hexdigest()]))
            else:
                other = ending.rows[ending.stands_for[index]].id
                dropped.add({**document, "reason": row.reason, "step": row.step, "detail": other})
    return {split: digest.hexdigest() for split, digest in digests.items()}


def _spilled(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path, pre_buffer=False) as spill:
        for batch in spill.iter_batches(batch_size=32):
            yield from batch.to_pylist()


def _splits(config: DataConfig, rows: Sequence[Row], digests: dict[str, str]) -> dict[str, Any]:
    return {
        "shares_asked": {"validation": config.split.validation, "test": config.split.test},
        "splits": {split: _split_facts(rows, split, digests[split]) for split in SPLITS},
    }


def _split_facts(rows: Sequence[Row], split: str, digest: str) -> dict[str, Any]:
    own = [row for row in rows if row.split == split]
    return {
        "digest": digest,
        "documents": [row.id for row in own],
        "num_documents": len(own),
        "num_groups": len({row.group for row in own}),
        "num_bytes": sum(row.bytes_out for row in own),
    }
