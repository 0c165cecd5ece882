"""An index as a LlamaIndex retriever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from genwright.systems.retrieval.passage import Passage, Searcher


class GenwrightRetriever(BaseRetriever):  # type: ignore[misc,unused-ignore]
    """The passages of an index as LlamaIndex's nodes, the best first; where each stands is in its metadata."""

    def __init__(
        self, index: Searcher, *, k: int = 10, filters: Mapping[str, Sequence[str]] | None = None, **settings: Any
    ) -> None:
        self._index, self._k, self._filters = index, k, filters
        super().__init__(**settings)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._index.search(query_bundle.query_str, k=self._k, filters=self._filters)
        more = {"degraded": found.degraded} if found.degraded else {}
        return [NodeWithScore(node=_node(passage, more), score=passage.score) for passage in found.passages]


def _node(passage: Passage, more: Mapping[str, str]) -> TextNode:
    metadata = {
        "document": passage.document,
        "title": passage.title,
        "path": list(passage.path),
        "url": passage.url,
        "source": passage.source,
        "flags": list(passage.flags),
        **more,
    }
    return TextNode(
        id_=passage.chunk,
        text=passage.text,
        metadata=metadata,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
    )
