"""BM25 over the terms of chunks, by tantivy. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genwright.core import load_reference
from genwright.systems.retrieval.engine import Found, Mask
from genwright.systems.retrieval.terms import terms

EXTRA = "rag"
MOST_TERMS = 64
HEAP_BYTES = 1 << 30
FIRST = 256
LONGEST = 256


def write_terms(folder: Path, texts: Iterable[tuple[int, str]], /) -> None:
    """An index of the texts, in one segment whose order is that of the rows."""
    tantivy = _tantivy()
    folder.mkdir(parents=True)
    index = tantivy.Index(_schema(tantivy), path=str(folder))
    index.register_tokenizer("terms", _analyzer(tantivy))
    writer = index.writer(heap_size=HEAP_BYTES, num_threads=1)
    for row, text in texts:
        writer.add_document(tantivy.Document(row=row, terms=" ".join(terms(text))))
    writer.commit()
    writer.wait_merging_threads()


class Bm25:
    """Rows whose terms are those of a question.

    Raises:
        ValueError: the folder holds no whole index.
    """

    def __init__(self, folder: Path, /) -> None:
        self._tantivy = _tantivy()
        index = self._tantivy.Index.open(str(folder))
        index.register_tokenizer("terms", _analyzer(self._tantivy))
        self._schema = index.schema
        self._searcher = index.searcher()
        self.num_rows = int(self._searcher.num_docs)

    def search(self, text: str, /, *, limit: int, mask: Mask | None) -> Found:
        """The best rows that count, with their scores; of equal ones the smaller row."""
        words = list(dict.fromkeys(terms(text)))[:MOST_TERMS]
        if not words:
            return []
        should = self._tantivy.Occur.Should
        query = self._tantivy.Query.boolean_query(
            [(should, self._tantivy.Query.term_query(self._schema, "terms", word, "freq")) for word in words]
        )
        asked = limit if mask is None else max(FIRST, 4 * limit)
        while True:
            found = self._found(query, asked)
            kept = found if mask is None else [one for one in found if mask[one[0]]]
            if len(kept) >= limit or len(found) < asked:
                return kept[:limit]
            asked *= 8

    def _found(self, query: Any, limit: int) -> Found:
        hits = self._searcher.search(query, limit=min(limit, max(1, self.num_rows)), count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        found = sorted((-score, row) for row, (score, _) in zip(rows, hits, strict=True))
        return [(row, -below) for below, row in found]


def _schema(tantivy: Any) -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("terms", tokenizer_name="terms", index_option="freq")
    return builder.build()


def _analyzer(tantivy: Any) -> Any:
    """Terms are made here and stand between spaces."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return builder.filter(tantivy.Filter.remove_long(LONGEST)).build()


def _tantivy() -> Any:
    load_reference("tantivy:Index", extra=EXTRA)
    import tantivy

    return tantivy
