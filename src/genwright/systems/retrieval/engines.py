"""The engine that a search asks for, opened over a snapshot. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from genwright.core import SpecError, load_reference
from genwright.systems.retrieval.approximate import ApproximateEngine, Nearest
from genwright.systems.retrieval.bm25 import Bm25, write_terms
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.derived import derived, forget
from genwright.systems.retrieval.exact import NAME, ExactEngine, write_matrix
from genwright.systems.retrieval.snapshot import Snapshot

SERVERS = {"postgres": "postgres:PostgresNearest", "qdrant": "qdrant:QdrantNearest"}
ROOM = "genwright.systems.retrieval"


def open_dense(snapshot: Snapshot, config: SearchConfig, /, *, cache: Path) -> ExactEngine | ApproximateEngine:
    """The engine over a snapshot's vectors; what it needs is made where it is not there.

    Raises:
        DependencyError: the engine's extra is not installed.
        ConnectionError: its server does not answer.
    """
    exact = _exact(snapshot, cache)
    if config.engine == "exact":
        return exact
    if config.engine == "edge":
        return ApproximateEngine(exact, _edge(snapshot, exact, cache))
    if not config.url:
        raise SpecError(
            f"the engine '{config.engine}' is a server, and search.url is not set",
            hint="for example url = 'postgresql://user@host/database', or 'http://host:6333' for Qdrant",
        )
    server = load_reference(f"{ROOM}.{SERVERS[config.engine]}", extra=config.engine)
    return ApproximateEngine(exact, server(config.url, digest=snapshot.facts.digest, matrix=exact.matrix))


def open_bm25(snapshot: Snapshot, /, *, cache: Path) -> Bm25:
    """The index of words.

    Raises:
        DependencyError: the extra `rag` is not installed.
    """

    def make(folder: Path) -> None:
        write_terms(folder / "terms", snapshot.texts())

    for last in (False, True):
        folder = derived(snapshot, "bm25", make, cache=cache)
        try:
            found = Bm25(folder / "terms")
            if found.num_rows == snapshot.facts.num_chunks:
                return found
        except ValueError:
            if last:
                raise
        forget(folder)
    raise AssertionError("an index of terms that was just made holds every chunk")


def _exact(snapshot: Snapshot, cache: Path) -> ExactEngine:
    def make(folder: Path) -> None:
        write_matrix(folder / NAME, snapshot.vectors())

    folder = derived(snapshot, "exact", make, cache=cache)
    return ExactEngine(folder / NAME, d=snapshot.facts.d)


def _edge(snapshot: Snapshot, exact: ExactEngine, cache: Path) -> Nearest:
    load = load_reference(f"{ROOM}.edge:EdgeNearest", extra="edge")
    write = load_reference(f"{ROOM}.edge:write_shard", extra="edge")

    def make(folder: Path) -> None:
        write(folder / "shard", exact.matrix)

    for last in (False, True):
        # The engine writes into its own files when it opens them, so their sizes say nothing.
        folder = derived(snapshot, "edge", make, cache=cache, sizes=False)
        try:
            found: Nearest = load(folder / "shard")
            return found
        except Exception:  # whatever broken files make the library raise
            if last:
                raise
        forget(folder)
    raise AssertionError("a shard that was just made is loaded")
