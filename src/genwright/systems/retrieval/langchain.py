"""An index as a LangChain retriever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from genwright.systems.retrieval.passage import Passage, Searcher


class GenwrightRetriever(BaseRetriever):  # type: ignore[misc,unused-ignore]
    """The passages of an index as LangChain's documents, the best first; where each stands is in its metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Any
    k: int = 10
    filters: Mapping[str, Sequence[str]] | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        searcher: Searcher = self.index
        found = searcher.search(query, k=self.k, filters=self.filters)
        more = {"degraded": found.degraded} if found.degraded else {}
        return [_document(passage, more) for passage in found.passages]


def _document(passage: Passage, more: Mapping[str, str]) -> Document:
    metadata = {
        "document": passage.document,
        "title": passage.title,
        "path": list(passage.path),
        "start": passage.start,
        "end": passage.end,
        "url": passage.url,
        "source": passage.source,
        "score": passage.score,
        "flags": list(passage.flags),
        **more,
    }
    return Document(id=passage.chunk, page_content=passage.text, metadata=metadata)
