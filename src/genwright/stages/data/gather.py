"""The first pass: read, clean, compare with what came before; texts go to disk, facts stay in memory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from genwright.core import component
from genwright.core.protocols import Sample
from genwright.detect.near_duplicates import NearDuplicates
from genwright.modalities.text.records import Unread
from genwright.modalities.text.sources import HUB, list_files
from genwright.stages.data.clean import Cleaned, check_length, new_near
from genwright.stages.data.config import DataConfig
from genwright.stages.data.outcome import Dropped, Row
from genwright.stages.data.passages import Passages
from genwright.stages.data.pool import ordered_map
from genwright.stages.data.worker import Cleaner, crossed
from genwright.stages.data.writing import TableWriter

_BATCH_BYTES = 1 << 20
_BATCH_DOCUMENTS = 256
_SERIAL_UP_TO_BYTES = 24 << 20
CONTAINED_UP_TO_BYTES = 64 << 20

Samples = list[Sample | Unread]


@dataclass
class Gathered:
    """What the first pass leaves in memory: a row per document, and sketches of those that stay so far."""

    near: NearDuplicates | None
    rows: list[Row] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)


class Gatherer:
    """Runs the first pass. Survivors go to `spill` in order, the rest to `dropped` with its reason."""

    def __init__(self, config: DataConfig, /, *, spill: TableWriter, dropped: TableWriter) -> None:
        self._config = config
        self._spill, self._dropped = spill, dropped
        self._first_with: dict[bytes, int] = {}
        self._ids: set[str] = set()
        self._passages = Passages(min_characters=config.passages.min_characters)
        self.gathered = Gathered(new_near(config.near))

    def run(self, root: Path, /, *, modality: str, on_batch: Callable[[int, int], None]) -> Gathered:
        """All documents of all sources; `on_batch` hears of documents and bytes as they pass."""
        batches = batched_samples(self._config, root=root, modality=modality)
        for batch, answers in _cleaned(self._config, batches, num_workers=num_workers(self._config, root=root)):
            replies = iter(answers)
            for sample in batch:
                self._unread(sample) if isinstance(sample, Unread) else self._take(sample, next(replies))
            on_batch(len(batch), sum(len(sample.text) for sample in batch if isinstance(sample, Sample)))
        return self.gathered

    def _unread(self, unread: Unread) -> None:
        name = self._unique(unread.id)
        self.gathered.rows.append(Row(name, unread.source, name, 0, reason=unread.reason, step="read"))
        why = {"reason": unread.reason, "step": "read", "detail": unread.detail}
        self._dropped.add(
            {"id": name, "text": "", "group": name, "source": unread.source, "licence": unread.licence, **why}
        )

    def _take(self, sample: Sample, cleaned: Cleaned) -> None:
        index = len(self.gathered.rows)
        name = self._unique(sample.id)
        row = Row(
            name,
            sample.source,
            sample.group,
            len(sample.text.encode(errors="replace")),
            num_redactions=cleaned.num_redactions,
        )
        self.gathered.rows.append(row)
        document = {
            "id": name,
            "text": cleaned.text,
            "group": sample.group,
            "source": sample.source,
            "licence": sample.licence,
        }
        row.reason, row.step, detail = cleaned.reason, cleaned.step, cleaned.detail
        if row.kept:
            first = self._first_with.setdefault(cleaned.digest, index)
            if first != index:
                row.reason, row.step, detail = "exact-duplicate", "exact", self._name(first)
        if row.kept and self._config.passages.repeats == "drop":
            cleaned = self._without_repeats(row, document, cleaned, index)
            detail = cleaned.detail
        if row.kept:
            self._survives(index, row, document, cleaned)
        else:
            self._dropped.add({**document, "reason": row.reason, "step": row.step, "detail": detail})

    def _without_repeats(self, row: Row, document: dict[str, str], cleaned: Cleaned, index: int) -> Cleaned:
        text, repeats = self._passages.take_out(cleaned.text, index=index)
        if not repeats:
            return cleaned
        row.passages_removed = len(repeats)
        outcome = check_length(text, filters=self._config.filters)
        if isinstance(outcome, Dropped):
            row.reason, row.step = "repeats-earlier", "passages"
            return Cleaned(
                text, detail=f"{len(text.encode())} bytes left; first repeat of {self._name(repeats[0].first)}"
            )
        for number, repeat in enumerate(repeats, start=1):
            why = {"reason": "repeated-passage", "step": "passages", "detail": self._name(repeat.first)}
            self._dropped.add({**document, "id": f"{row.id}~passage{number}", "text": repeat.text, **why})
        document["text"] = text
        if self.gathered.near is None:
            return Cleaned(text)
        sketch = self.gathered.near.sketch_many([text])[0]
        return Cleaned(text, signature=sketch.signature.tobytes(), sample=sketch.sample.tobytes())

    def _survives(self, index: int, row: Row, document: dict[str, str], cleaned: Cleaned) -> None:
        row.bytes_out = len(document["text"].encode())
        self.gathered.survivors.append(index)
        self._spill.add(document)
        if self.gathered.near is not None:
            self.gathered.near.add_sketches([cleaned.sketch])

    def _name(self, index: int) -> str:
        return self.gathered.rows[index].id

    def _unique(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._ids:
            number += 1
            candidate = f"{name}~{number}"
        self._ids.add(candidate)
        return candidate


def batched_samples(config: DataConfig, /, *, root: Path, modality: str) -> Iterator[Samples]:
    """The documents of all sources in order, in batches that a worker takes at a time."""
    reader = component("modalities", modality).load()()
    batch: Samples = []
    held = 0
    for sample in chain.from_iterable(reader.read(source, root=root) for source in config.sources):
        batch.append(sample)
        held += len(sample.text) if isinstance(sample, Sample) else 0
        if held >= _BATCH_BYTES or len(batch) >= _BATCH_DOCUMENTS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def source_bytes(config: DataConfig, /, *, root: Path) -> int | None:
    """The size of all source files, or None where a dataset of the hub or a compressed file makes it unknown."""
    sizes = 0
    for source in config.sources:
        if source.path.startswith(HUB):
            return None
        for file in list_files(source, root=root):
            if file.path.suffix in (".gz", ".parquet"):
                return None
            sizes += file.path.stat().st_size
    return sizes


def settled(config: DataConfig, /, *, root: Path) -> DataConfig:
    """The settings with `auto` decided by the size of the sources."""
    if config.near.contained != "auto":
        return config
    size = source_bytes(config, root=root)
    contained = "find" if size is not None and size <= CONTAINED_UP_TO_BYTES else "ignore"
    return config.model_copy(update={"near": config.near.model_copy(update={"contained": contained})})


def num_workers(config: DataConfig, /, *, root: Path) -> int:
    """As many as asked for; else one per core, or none beside this process where the corpus is small."""
    if config.workers:
        return config.workers
    size = source_bytes(config, root=root)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if size is not None and size <= _SERIAL_UP_TO_BYTES else cores


def _cleaned(
    config: DataConfig, batches: Iterator[Samples], *, num_workers: int
) -> Iterator[tuple[Samples, list[Cleaned]]]:
    """Each batch with its answers, in order; the answers do not depend on the number of workers."""
    if num_workers == 1:
        cleaner = Cleaner(config)
        for batch in batches:
            yield batch, cleaner(_texts(batch))
        return
    waiting: list[Samples] = []

    def asked() -> Iterator[list[str]]:
        for batch in batches:
            waiting.append(batch)
            yield _texts(batch)

    start = config.model_dump_json()
    for rows in ordered_map("genwright.stages.data.worker", start=start, batches=asked(), num_workers=num_workers):
        yield waiting.pop(0), crossed(rows)


def _texts(batch: Samples) -> list[str]:
    return [sample.text for sample in batch if isinstance(sample, Sample)]
