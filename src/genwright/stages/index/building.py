"""From a dataset of documents to an index that can be searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genwright.core import Context
from genwright.core.digest import json_digest
from genwright.modalities.dataset import read_split
from genwright.modalities.document.chunk import chunks
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.document.document import Chunk, Document
from genwright.nets.encoder import Encoder
from genwright.stages.index.config import STAGE
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.index import Index, Reranker
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Cutting, Store

COLUMNS = ("id", "title", "text", "format", "source", "licence", "url")
MOST_TOMBSTONES = 20  # versions of documents per one in use
STORE = Path(".genwright") / "index" / "store.sqlite"


def read_documents(folder: Path, /) -> Iterator[Document]:
    """The documents of a dataset."""
    return (Document(**row) for row in read_split(folder, split="train", columns=COLUMNS))


def cutting_of(config: ChunkConfig, encoder: Encoder, /) -> Cutting:
    """Chunks that the encoder reads whole."""

    def cut(document: Document) -> list[Chunk]:
        return chunks(document, config=config, count=encoder.count, window_tokens=encoder.window_tokens)

    return Cutting(cut, json_digest([STAGE.version, config.model_dump(mode="json"), encoder.window_tokens]))


def build(
    chunk: ChunkConfig, search: SearchConfig, folder: Path, /, *, encoder: Encoder, context: Context
) -> list[dict[str, Any]]:
    """Fills a folder with the index of the dataset; what it holds by document.

    Vectors are kept in the project and taken from there by later runs: a text's vector depends on nothing else.

    Raises:
        Interrupted: the user stopped the work; what was embedded is kept.
        DataError: there is nothing to find.
    """
    settings = {"chunk": chunk.model_dump(mode="json"), "search": search.model_dump(mode="json")}
    with Store(context.root / STORE) as store, store.held(context.progress):
        store.update(
            read_documents(context.inputs["dataset"].path),
            cutting=cutting_of(chunk, encoder),
            encoder=encoder,
            progress=context.progress,
            should_stop=context.should_stop,
        )
        write_snapshot(store, folder, encoder=encoder.identity, settings={**settings, "precision": encoder.precision})
        return store.contents()


def tidy(context: Context, /) -> None:
    """Buries what is not in use any more where it has come to be many times what is."""
    with Store(context.root / STORE) as store, store.held(context.progress):
        live = sum(1 for _ in store.contents())
        if store.num_tombstones() > MOST_TOMBSTONES * live:
            store.compact()


def opened(
    folder: Path, search: SearchConfig, /, *, encoder: Encoder, context: Context, **models: Reranker | None
) -> Index:
    """The index in a folder, its derived files in scratch; `models` are those that read passages again."""
    return Index.open(folder, encoder=encoder, cache=context.scratch / "derived", config=search, **models)
