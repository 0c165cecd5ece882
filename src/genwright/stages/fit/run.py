"""The fit stage: a codec from the train split, and what it does to samples it has not seen."""

from collections.abc import Iterator
from pathlib import Path

from genwright.core import Context, DataError, Interrupted, Produced, StageResult, component, modality_component
from genwright.core.protocols import Codec
from genwright.core.stage import Task
from genwright.measure import write_scores
from genwright.modalities.dataset import SPLITS, num_rows, read_texts
from genwright.stages.fit.claims import CLAIMS
from genwright.stages.fit.config import FitConfig
from genwright.stages.fit.rows import fit_rows
from genwright.stages.fit.scores import score_documents


def run(config: FitConfig, context: Context, /) -> StageResult:
    """The codec fitted on train, with its round trip and its rate on held-out documents.

    Raises:
        DataError: the train split is empty.
        Interrupted: the user stopped the work.
    """
    if modality_component(context.modality).rows:
        return fit_rows(config, context)
    dataset = context.inputs["dataset"].path
    codec = _fit(config, dataset, context)
    codec_folder, scores_folder = context.folder("codec"), context.folder("codec_scores")
    codec.save(codec_folder)
    with context.progress.task("encode", total=sum(num_rows(dataset, split=split) for split in SPLITS)) as task:
        write_scores(
            scores_folder, score_documents(codec, dataset=dataset, on_batch=lambda n: _advance(task, n, context))
        )
    artifacts = {"codec": Produced("codec", codec_folder), "codec_scores": Produced("scores", scores_folder)}
    return StageResult(artifacts, CLAIMS)


def _fit(config: FitConfig, dataset: Path, context: Context) -> Codec:
    total = num_rows(dataset, split="train")
    if total == 0:
        raise DataError("the train split has no documents, so no codec can be fitted", hint="look at dropped.parquet")
    factory = component("codecs", config.codec.kind).load()
    with context.progress.task("fit codec", total=total) as task:
        codec: Codec = factory.fit(config.codec, texts=_watched(dataset, task, context))
    return codec


def _watched(dataset: Path, task: Task, context: Context) -> Iterator[str]:
    for text in read_texts(dataset, split="train"):
        _advance(task, 1, context)
        yield text


def _advance(task: Task, amount: int, context: Context) -> None:
    if context.should_stop():
        raise Interrupted("stopped while fitting the codec", hint="run again: this stage starts over")
    task.advance(amount)
