"""Fitting a codec for samples that stand for themselves, and what it does to samples it has not seen."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from genwright.core import (
    ClaimDraft,
    Context,
    DataError,
    Derivation,
    Interrupted,
    Produced,
    SpecError,
    StageResult,
    component,
    load_reference,
    modality_component,
)
from genwright.core.protocols import ModelledModality, RowCodec
from genwright.measure import write_scores
from genwright.modalities.codec import Conditioned
from genwright.modalities.condition import Conditioner
from genwright.modalities.dataset import num_rows, read_tables

MOST_HELD_OUT = 2000
CLAIMS = (
    ClaimDraft(
        subject="codec",
        metric="codec_round_trip",
        unit="share of samples",
        scores="codec_scores",
        derivation=Derivation("proportion", {"value": "exact"}, interval="wilson"),
        data="dataset",
        better="higher",
    ),
)


class _Tables(Iterable[pa.Table]):
    """The train split, as often as it is gone through."""

    def __init__(self, dataset: Path, context: Context) -> None:
        self._dataset, self._context = dataset, context

    def __iter__(self) -> Iterator[pa.Table]:
        with self._context.progress.task("fit codec", total=num_rows(self._dataset, split="train")) as task:
            for table in read_tables(self._dataset, split="train"):
                if self._context.should_stop():
                    raise Interrupted("stopped while fitting the codec", hint="run again: this stage starts over")
                task.advance(len(table))
                yield table


def fit_rows(config: Any, context: Context, /) -> StageResult:
    """The codec, with the condition beside it where one is asked for, and its round trip on held-out samples.

    Raises:
        DataError: the train split is empty.
        SpecError: a column to condition on is not there.
        Interrupted: the user stopped the work.
    """
    dataset = context.inputs["dataset"].path
    if not num_rows(dataset, split="train"):
        raise DataError("the train split has no samples, so no codec can be fitted", hint="look at dropped.parquet")
    tables = _Tables(dataset, context)
    codec: RowCodec = component("codecs", config.codec.kind).load().fit(config.codec, rows=tables)
    if config.condition and hasattr(codec, "copies") and codec.shape.cond_size:
        raise SpecError(
            "fit.condition: the codec already tells samples how far copies of them were moved",
            hint="leave out [[fit.condition]], or transpose_up_to of [fit] codec",
        )
    if config.condition:
        codec = Conditioned(codec, Conditioner.fit(config.condition, rows=tables))
    codec_folder, scores_folder = context.folder("codec"), context.folder("codec_scores")
    codec.save(codec_folder)
    modality = load_reference(modality_component(context.modality).factory)()
    write_scores(scores_folder, _round_trip(codec, modality, dataset))
    artifacts = {"codec": Produced("codec", codec_folder), "codec_scores": Produced("scores", scores_folder)}
    return StageResult(artifacts, CLAIMS)


def _round_trip(codec: RowCodec, modality: ModelledModality, dataset: Path) -> dict[str, list[Any]]:
    """One row per held-out sample: whether it comes back as the same."""
    columns: dict[str, list[Any]] = {"id": [], "group": [], "split": [], "exact": []}
    for split in ("validation", "test"):
        seen = 0
        for batch in read_tables(dataset, split=split):
            table = batch.slice(0, max(0, MOST_HELD_OUT - seen))
            if not len(table):
                break
            seen += len(table)
            back = codec.decode(codec.encode(table))
            same = [a == b for a, b in zip(modality.keys(table), modality.keys(back), strict=True)]
            columns["id"] += table.column("id").to_pylist()
            columns["group"] += table.column("group").to_pylist()
            columns["split"] += [split] * len(table)
            columns["exact"] += same
    return columns
