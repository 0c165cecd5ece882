"""An index in memory for tests: hashed words in place of an encoder, exact scans, the real chunks and terms."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from genwright.modalities.document.chunk import ChunkConfig, chunks
from genwright.modalities.document.document import Document
from genwright.systems.retrieval.passage import Passage, Retrieved, Span
from genwright.systems.retrieval.terms import terms

WIDTH = 512


class FakeEncoder:
    window_tokens = 256

    def count(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for term in terms(text):
                row[int.from_bytes(blake2b(term.encode(), digest_size=4).digest()) % WIDTH] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


class FakeIndex:
    def __init__(self, documents: Sequence[Document]) -> None:
        self.encoder = FakeEncoder()
        self._documents = {one.id: one for one in documents}
        self._chunks = [
            chunk
            for one in documents
            for chunk in chunks(one, config=ChunkConfig(), count=self.encoder.count, window_tokens=256)
        ]
        texts = [f"{one.header}\n{self._text(one)}" for one in self._chunks]
        self._vectors = self.encoder.embed(texts)

    def _text(self, chunk) -> str:
        return self._documents[chunk.document].text[chunk.start : chunk.end]

    def search(
        self,
        query: str,
        /,
        *,
        k: int = 10,
        filters: Mapping[str, Sequence[str]] | None = None,
        exclude: Collection[Span] = (),
    ) -> Retrieved:
        scores = self._vectors @ self.encoder.embed([query])[0]
        order = [
            at
            for at in np.argsort(-scores, kind="stable")
            if not any(
                self._chunks[at].document == name and self._chunks[at].start < end and start < self._chunks[at].end
                for name, start, end in exclude
            )
        ]
        passages = tuple(
            Passage(
                chunk.id, chunk.document, self._documents[chunk.document].title, chunk.path, chunk.start, chunk.end,
                self._text(chunk), float(scores[at]), float(scores[at]), float(scores[at]) * 10, chunk.section,
            )
            for at in order[:k]
            for chunk in (self._chunks[at],)
        )  # fmt: skip
        best = float(scores[order[0]]) if order else 0.0
        return Retrieved(query, passages, best, best * 10, seconds={"fake": 0.0})

    def search_many(self, queries, /, *, k: int = 10, filters=None, exclude=()) -> list[Retrieved]:
        spans = exclude or [()] * len(queries)
        return [self.search(query, k=k, exclude=one) for query, one in zip(queries, spans, strict=True)]

    def document(self, document: str, /) -> Document:
        return self._documents[document]

    def documents(self) -> list[Document]:
        return list(self._documents.values())
