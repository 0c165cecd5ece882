"""What a search gives back. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from genwright.modalities.document.document import Document


@dataclass(frozen=True)
class Passage:
    """A chunk that was found: `text` is that of the document `document` from `start` to `end`.

    `score` orders passages of one search; `cosine` and `bm25` are those of the query with the chunk, None where
    that search did not reach it; `matched` is the mean nearness of the query's tokens, `reranked` what a reranker says
    and `likelihood` how likely the query is behind the passage (nats per token), where that was looked at.
    `header` stands above the text where it is embedded. `flags` name what looks like an attack on a reader.
    """

    chunk: str
    document: str
    title: str
    path: tuple[str, ...]
    start: int
    end: int
    text: str
    score: float
    cosine: float | None = None
    bm25: float | None = None
    section: int = 0
    url: str = ""
    source: str = ""
    flags: tuple[str, ...] = ()
    header: str = ""
    matched: float | None = None
    likelihood: float | None = None
    reranked: float | None = None

    @property
    def heading(self) -> str:
        """The title and the headings above the text."""
        return " ".join((self.title, *self.path))

    @property
    def whole(self) -> str:
        """The text behind its heading."""
        return f"{self.heading} {self.text}"


@dataclass(frozen=True)
class Retrieved:
    """The passages of one search, the best first.

    `best_cosine` and `best_bm25` are over the whole index (under the filter): how sure the search is of anything at
    all. `degraded` says which part did not answer, empty where all did. `seconds` is wall time by part.
    """

    query: str
    passages: tuple[Passage, ...]
    best_cosine: float = 0.0
    best_bm25: float = 0.0
    degraded: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


Span = tuple[str, int, int]
"""(document, start, end)."""


class Searcher(Protocol):
    """What answering needs of an index.

    `filters` keep documents whose field (`source`, `document`, `title`, `path`: any heading above) is one of the
    values; `exclude` leaves out chunks that overlap one of the spans, as if they were not there.
    """

    def search(
        self,
        query: str,
        /,
        *,
        k: int = 10,
        filters: Mapping[str, Sequence[str]] | None = None,
        exclude: Collection[Span] = (),
    ) -> Retrieved: ...
    def search_many(
        self,
        queries: Sequence[str],
        /,
        *,
        k: int = 10,
        filters: Mapping[str, Sequence[str]] | None = None,
        exclude: Sequence[Collection[Span]] = (),
    ) -> list[Retrieved]: ...
    def document(self, document: str, /) -> Document: ...
