"""An index over a snapshot: dense search, BM25, and both joined. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from genwright.core import CapabilityError, DataError, SpecError
from genwright.modalities.document.document import Chunk, Document, below
from genwright.nets.encoder.protocol import Encoder, Matrix
from genwright.systems.retrieval.bm25 import Bm25
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.derived import cache_folder
from genwright.systems.retrieval.engine import Found, Mask, VectorEngine
from genwright.systems.retrieval.engines import open_bm25, open_dense
from genwright.systems.retrieval.fusion import at_most_per, reciprocal_ranks, weighted_scores
from genwright.systems.retrieval.joining import joined
from genwright.systems.retrieval.late import LateInteraction
from genwright.systems.retrieval.passage import Passage, Retrieved, Span
from genwright.systems.retrieval.snapshot import Snapshot
from genwright.systems.retrieval.visible import visible

Filters = Mapping[str, Sequence[str]]
PARTS_PER_CHUNK = 3
"""Of so many vectors for each chunk that is wanted the best are looked at, where several may be parts of one."""


BM25_REACH = 10
"""Where scores are joined, BM25 is asked for so many times more passages: those found by meaning have one, too."""


WEIGHTS = {"matched": "late_weight", "reranked": "rerank_weight", "likelihood": "likelihood_weight"}
Reader = Callable[[Sequence[str]], Sequence[float]]


class Reranker(Protocol):
    """A second look at the first passages: how well each text answers the question, or how likely it makes it."""

    def __call__(self, query: str, texts: Sequence[str], /) -> Sequence[float]: ...


class Index:
    """Passages of documents; what `Searcher` asks for.

    `likely` says how likely a question is behind each text, `rerank` how well each answers it; they are asked where
    `config` says so. An index is safe between threads.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        /,
        *,
        encoder: Encoder | None,
        dense: VectorEngine | None,
        bm25: Bm25,
        config: SearchConfig,
        rerank: Reranker | None = None,
        late: LateInteraction | None = None,
        likely: Reranker | None = None,
    ) -> None:
        if config.fusion != "bm25" and (encoder is None or dense is None):
            raise SpecError(f"a search by '{config.fusion}' needs an encoder", hint="give one, or fusion = 'bm25'")
        if encoder is not None and encoder.identity != snapshot.facts.encoder:
            raise CapabilityError(
                "the index was made with another encoder: its vectors do not compare",
                hint="give the encoder that stands beside the index, or run the index stage again",
            )
        self.snapshot, self.encoder, self.config = snapshot, encoder, config
        self._dense, self._bm25, self._rerank = dense, bm25, rerank
        self.late = late or (None if encoder is None else LateInteraction(encoder))
        if config.late_interaction == "on" and self.late is None:
            raise SpecError("late interaction needs an encoder", hint="give one, or late_interaction = 'off'")
        self._likely = likely
        if config.likelihood == "on" and likely is None:
            raise SpecError(
                "this index is searched with the likelihood of questions, which needs a language model",
                hint="give one (`likely`), or a config with likelihood = 'off'",
            )
        if config.rerank == "on" and rerank is None:
            raise SpecError(
                "this index is searched with a reranker, and none is given",
                hint="give the one that stands beside the encoder (`rerank`), or a config with rerank = 'off'",
            )

    @classmethod
    def open(
        cls,
        folder: Path,
        /,
        *,
        encoder: Encoder | None,
        cache: Path | None = None,
        config: SearchConfig | None = None,
        rerank: Reranker | None = None,
        likely: Reranker | None = None,
    ) -> Self:
        """The index of an artifact; `config` None is how it was made to be searched.

        What makes it fast is made on the first call and kept in `cache`.

        Raises:
            IntegrityError: the artifact is broken.
            CapabilityError: it was made with another encoder.
            DependencyError: the extra `rag` is not installed.
        """
        snapshot = Snapshot(folder)
        cache = cache or cache_folder()
        settings = config or snapshot.search
        bm25 = open_bm25(snapshot, cache=cache)
        dense = None if encoder is None else _opened(snapshot, settings, cache)
        return cls(snapshot, encoder=encoder, dense=dense, bm25=bm25, config=settings, rerank=rerank, likely=likely)

    def searched(self, config: SearchConfig, /) -> Index:
        """The same index, searched in another way."""
        return Index(
            self.snapshot,
            encoder=self.encoder,
            dense=self._dense,
            bm25=self._bm25,
            config=config,
            rerank=self._rerank,
            late=self.late,
            likely=self._likely,
        )

    def document(self, document: str, /) -> Document:
        """The document of that id.

        Raises:
            DataError: there is none.
        """
        return self.snapshot.document(document)

    def documents(self) -> list[Document]:
        """All documents by id, without their texts."""
        return list(self.snapshot.documents)

    def search(
        self, query: str, /, *, k: int = 10, filters: Filters | None = None, exclude: Collection[Span] = ()
    ) -> Retrieved:
        """The `k` best passages.

        Raises:
            SpecError: the question is empty, or a filter has a name that there is not.
        """
        return self.search_many([query], k=k, filters=filters, exclude=[exclude])[0]

    def search_many(
        self,
        queries: Sequence[str],
        /,
        *,
        k: int = 10,
        filters: Filters | None = None,
        exclude: Sequence[Collection[Span]] = (),
    ) -> list[Retrieved]:
        """The `k` best passages of each question; `exclude` is empty or has an entry per question."""
        if k < 1:
            raise SpecError(f"k is {k}; a search gives back at least 1 passage")
        spans = list(exclude) or [()] * len(queries)
        start = time.perf_counter()
        cut = [self._cut(query) for query in queries]
        vectors = self._vectors([text for text, _ in cut])
        seconds = (time.perf_counter() - start) / max(1, len(queries))
        return [
            self._one(query, asked, vector, k=k, mask=visible(self.snapshot, filters, out), seconds=seconds)
            for query, asked, vector, out in zip(queries, cut, vectors, spans, strict=True)
        ]

    def _cut(self, query: str) -> tuple[str, str]:
        if not query.strip():
            raise SpecError("the question is empty", hint="ask for something")
        if self.encoder is None:
            return query, ""
        text, left = self.encoder.cut(query)
        note = (
            f"the question is longer than what is read of one: its last {left:,} tokens were left out" if left else ""
        )
        return text, note

    def _vectors(self, texts: Sequence[str]) -> Sequence[Matrix | None]:
        if self.encoder is None or self.config.fusion == "bm25":
            return [None] * len(texts)
        return list(self.encoder.embed(texts, role="query"))

    def _one(
        self, query: str, asked: tuple[str, str], vector: Matrix | None, *, k: int, mask: Mask | None, seconds: float
    ) -> Retrieved:
        (text, note), clock = asked, _Clock(embed=seconds)
        depth = max(self.config.depth, k)
        with clock.part("bm25"):
            reach = BM25_REACH if self.config.fusion == "scores" else 1
            bm25 = self._bm25.search(text, limit=depth * reach, mask=mask)
        notes = [note] if note else []
        with clock.part("dense"):
            dense = [] if vector is None else self._by_chunk(vector, depth, mask, notes)
        with clock.part("fuse"):
            dense = self._completed(dense, bm25[:depth], vector)
            ranked = self._fused(dense, bm25)
        with clock.part("read"):
            passages = self._passages(ranked, dict(dense), dict(bm25), k)
        with clock.part("match"):
            if self.late is not None:
                passages = self._again(passages, self._late_depth, "matched", partial(self.late.scores, text))
        if self.rerank is not None:
            with clock.part("rerank"):
                passages = self._again(passages, self._rerank_depth, "reranked", partial(self.rerank, text))
        if self._likely is not None and self._likelihood_depth:
            with clock.part("likelihood"):
                passages = self._again(passages, self._likelihood_depth, "likelihood", partial(self._likely, text))
        passages = joined(passages, self.config, read=self.snapshot.slice)
        best = (dense[0][1] if dense else 0.0, bm25[0][1] if bm25 else 0.0)
        return Retrieved(query, tuple(passages[:k]), *best, "; ".join(notes), clock.seconds)

    def _by_chunk(self, vector: Matrix, depth: int, mask: Mask | None, notes: list[str]) -> Found:
        """Chunks by their best part."""
        owners = self.snapshot.owners
        reach = PARTS_PER_CHUNK if len(owners) > self.snapshot.facts.num_chunks else 1
        parts = self._near(vector, reach * depth, None if mask is None else mask[owners], notes)
        best: dict[int, float] = {}
        for owner, (_, cosine) in zip(owners[[part for part, _ in parts]].tolist(), parts, strict=True):
            best.setdefault(owner, cosine)
        return list(best.items())[:depth]

    def _near(self, vector: Matrix, depth: int, mask: Mask | None, notes: list[str]) -> Found:
        assert self._dense is not None, "a search by meaning has an engine"
        try:
            return self._dense.search(vector, limit=depth, mask=mask)
        except ConnectionError as error:
            exact: VectorEngine | None = getattr(self._dense, "exact", None)
            if exact is None:
                notes.append(f"the search by meaning did not answer ({error}): found by words alone")
                return []
            notes.append(
                f"the engine '{self.config.engine}' did not answer ({error}): all vectors were scanned instead"
            )
            return exact.search(vector, limit=depth, mask=mask)

    def _completed(self, dense: Found, bm25: Found, vector: Matrix | None) -> Found:
        """What was found by meaning, and the cosines of what only words found."""
        if self.config.fusion != "scores" or vector is None or not dense:
            return dense
        assert self._dense is not None, "what was found by meaning was found by an engine"
        held = {row for row, _ in dense}
        rows = [row for row, _ in bm25 if row not in held]
        owners = self.snapshot.owners
        if not rows:
            return dense
        starts, ends = (np.searchsorted(owners, rows, side=side) for side in ("left", "right"))
        firsts = np.concatenate(([0], np.cumsum(ends - starts)[:-1]))  # of each row among all parts that are compared
        parts = np.arange((ends - starts).sum()) + np.repeat(starts - firsts, ends - starts)
        best = np.maximum.reduceat(self._dense.matrix[parts] @ vector, firsts)
        return [*dense, *zip(rows, best.tolist(), strict=True)]

    def _fused(self, dense: Found, bm25: Found) -> Found:
        if self.config.fusion == "bm25":
            return bm25
        if self.config.fusion == "scores":
            return weighted_scores(dict(dense), dict(bm25), bm25_weight=self.config.bm25_weight) if dense else bm25
        if self.config.fusion == "dense":
            return dense or bm25
        rankings = [([row for row, _ in dense], self.config.dense_weight), ([row for row, _ in bm25], 1.0)]
        return reciprocal_ranks(rankings, k=self.config.rrf_k)

    def _passages(self, ranked: Found, dense: Mapping[int, float], bm25: Mapping[int, float], k: int) -> list[Passage]:
        """The first passages, as many as are wanted and as are put in order again."""
        kept = ranked
        if self.config.per_section is not None:
            places = self.snapshot.places
            groups = [(int(places[row, 0]), int(places[row, 3])) for row, _ in ranked]
            kept = [ranked[at] for at in at_most_per(groups, most=self.config.per_section)]
        again = (self._late_depth, self._rerank_depth, self._likelihood_depth, self._join_depth)
        wanted = max(k, *again)
        found: list[Passage] = []
        shown: set[str] = set()
        for row, score in kept:
            (chunk, text, document) = self.snapshot.chunk(row)
            words = " ".join(text.split())
            if self.config.copies == "once" and words in shown:
                continue
            shown.add(words)
            found.append(_passage(chunk, text, document, score, dense.get(row), bm25.get(row)))
            if len(found) == wanted:
                break
        return found

    @property
    def rerank(self) -> Reranker | None:
        """What reads passages again, where the search asks it."""
        return self._rerank if self.config.rerank == "on" else None

    @property
    def _late_depth(self) -> int:
        return self.config.late_depth if self.config.late_interaction == "on" else 0

    @property
    def _join_depth(self) -> int:
        return self.config.join_depth if self.config.join_characters else 0

    @property
    def _rerank_depth(self) -> int:
        return self.config.rerank_depth if self.config.rerank == "on" else 0

    @property
    def _likelihood_depth(self) -> int:
        return self.config.likelihood_depth if self.config.likelihood == "on" else 0

    def _again(self, found: list[Passage], depth: int, name: str, look: Reader) -> list[Passage]:
        """The first passages in the order of their scores with what a second look says of each; scores only grow.

        What it says is kept as `name` and weighs as the setting of that name.
        """
        first, rest = found[:depth], found[depth:]
        if not first:
            return found
        values = look([below(one.header, one.text) for one in first])
        least, weight = min(values), getattr(self.config, WEIGHTS[name])
        scored: list[Passage] = []
        for one, value in zip(first, values, strict=True):
            seen: dict[str, Any] = {name: float(value), "score": one.score + weight * (value - least)}
            scored.append(replace(one, **seen))
        return sorted(scored, key=lambda one: -one.score) + rest


class _Clock:
    """Wall time by part."""

    def __init__(self, **seconds: float) -> None:
        self.seconds: dict[str, float] = dict(seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def _opened(snapshot: Snapshot, config: SearchConfig, cache: Path) -> VectorEngine:
    try:
        return open_dense(snapshot, config, cache=cache)
    except ConnectionError as error:
        raise DataError(
            f"the engine '{config.engine}' does not answer at {config.url}: {error}",
            hint="start it, or search with engine = 'exact'",
        ) from None


def _passage(
    chunk: Chunk, text: str, document: Document, score: float, cosine: float | None, bm25: float | None
) -> Passage:
    return Passage(
        chunk=chunk.id,
        document=document.id,
        title=document.title,
        path=chunk.path,
        start=chunk.start,
        end=chunk.end,
        text=text,
        score=score,
        cosine=cosine,
        bm25=bm25,
        section=chunk.section,
        url=document.url,
        source=document.source,
        flags=chunk.flags,
        header=chunk.header,
    )
