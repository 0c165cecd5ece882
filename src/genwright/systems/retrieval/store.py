"""The live store of an index: one SQLite file in which documents come, change and go. Imports no torch."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from genwright.core import IntegrityError, Interrupted, StorageError
from genwright.core.digest import json_digest
from genwright.core.lock import exclusive
from genwright.core.stage import Progress
from genwright.modalities.document.document import Chunk, Document, below
from genwright.nets.encoder.protocol import Encoder

FORMAT = 2
BATCH_CHUNKS = 256
BATCH_DOCUMENTS = 200
# A version of a document is one row for good: what is not live is a tombstone, which `compact` buries.
SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS documents (
    key TEXT PRIMARY KEY, live INTEGER NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    format TEXT NOT NULL, source TEXT NOT NULL, licence TEXT NOT NULL, url TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS live_id ON documents (id) WHERE live = 1;
CREATE TABLE IF NOT EXISTS chunks (
    key TEXT NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, header TEXT NOT NULL,
    path TEXT NOT NULL, section INTEGER NOT NULL, kind TEXT NOT NULL, flags TEXT NOT NULL, parts TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (key, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL, truncated_tokens INTEGER NOT NULL) STRICT;
"""
CHUNK = 'number, start, "end", header, path, section, kind, flags, parts'
DOCUMENT = "id, title, text, format, source, licence, url"


@dataclass(frozen=True)
class Cutting:
    """How documents become chunks: the function, and the digest of all that it depends on besides the document."""

    cut: Callable[[Document], Sequence[Chunk]]
    digest: str


@dataclass(frozen=True)
class Updated:
    """What an update did: documents by their fate, and chunks by where their vectors came from."""

    num_new: int
    num_kept: int
    num_removed: int
    num_embedded: int
    num_reused: int


def embedded_texts(chunk: Chunk, text: str, /) -> list[str]:
    """What an encoder reads of a chunk of a document's text: each of its parts below the header."""
    return [below(chunk.header, text[start:end]) for start, end in chunk.embedded]


class Store:
    """Documents, chunks, spans, tombstones and vectors; the source of truth. A kill leaves what was finished.

    Raises:
        StorageError: the file cannot be opened.
        IntegrityError: it is no store, or one of another format.
    """

    def __init__(self, path: Path, /) -> None:
        self.path, self._is_held = path, False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self._lock):
                self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.executescript(SCHEMA)
                self._connection.execute("INSERT OR IGNORE INTO settings VALUES ('format', ?)", [str(FORMAT)])
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageError(f"cannot open the store {path}: {error}", hint="is the folder writable?") from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{path} is no store: {error}", hint="delete it; it is made again") from error
        (found,) = self._connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
        if found != str(FORMAT):
            raise IntegrityError(f"{path} is a store of format {found}, not {FORMAT}", hint="delete it")

    @property
    def _lock(self) -> Path:
        return self.path.with_suffix(".lock")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file."""
        self._connection.close()

    def update(
        self,
        documents: Iterable[Document],
        /,
        *,
        cutting: Cutting,
        encoder: Encoder,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Updated:
        """Makes the store hold exactly these documents. What it knows already is neither cut nor embedded again.

        A second process waits until the first is done. Readers see the old documents until all new ones are ready.

        Raises:
            Interrupted: `should_stop` turned true; what was embedded is kept.
            StorageError: the disk is full or the file is locked.
        """
        with self.held(progress), self._errors():
            wanted: list[str] = []
            fresh = self._cut(documents, cutting, encoder, wanted, should_stop)
            embedded, reused = self._embed(wanted, encoder, progress, should_stop)
            removed = self._make_live(wanted)
            return Updated(fresh, len(wanted) - fresh, removed, embedded, reused)

    @contextmanager
    def held(self, progress: Progress | None, /) -> Iterator[None]:
        """Keeps other processes from changing the store while inside; waits for one that does, and says so."""
        if self._is_held:
            yield
            return
        waiting = f"another process is writing {self.path.name}; waiting"
        with exclusive(self._lock, on_wait=lambda: progress.say(waiting) if progress else None):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def compact(self) -> int:
        """Drops all that is not live, and gives the room back; how many versions of documents went."""
        with self.held(None), self._errors():
            with self._transaction():
                gone = self._connection.execute("DELETE FROM documents WHERE live = 0").rowcount
                self._connection.execute("DELETE FROM chunks WHERE key NOT IN (SELECT key FROM documents)")
                self._connection.execute("DELETE FROM vectors WHERE key NOT IN (SELECT vector FROM chunks)")
            self._connection.execute("VACUUM")
            return gone

    def num_tombstones(self) -> int:
        """Versions of documents that are not live."""
        (found,) = self._connection.execute("SELECT count(*) FROM documents WHERE live = 0").fetchone()
        return int(found)

    def contents(self) -> list[dict[str, str | int]]:
        """Per live document, by id: its chunks, those that are flagged, and tokens that no encoder read."""
        found = self._connection.execute(
            "SELECT d.id, count(c.key), total(c.flags != '[]'), total(v.truncated_tokens) FROM documents d "
            "LEFT JOIN chunks c ON c.key = d.key LEFT JOIN vectors v ON v.key = c.vector "
            "WHERE d.live = 1 GROUP BY d.id ORDER BY d.id"
        )
        names = ("chunks", "flagged_chunks", "truncated_tokens")
        return [
            {"id": name, "group": name, **dict(zip(names, map(int, numbers), strict=True))} for name, *numbers in found
        ]

    def rows(self) -> Iterator[tuple[Document, Iterator[tuple[Chunk, bytes]]]]:
        """The live documents by id, each with its chunks in order and their vectors."""
        columns = CHUNK.replace("number", "c.number")
        for key, *fields in self._connection.execute(
            f"SELECT key, {DOCUMENT} FROM documents WHERE live = 1 ORDER BY id"
        ):
            found = self._connection.execute(
                f"SELECT {columns}, v.vector FROM chunks c JOIN vectors v ON v.key = c.vector "
                "WHERE c.key = ? ORDER BY c.number",
                [key],
            )
            document = Document(*fields)
            yield document, ((chunk_of(document.id, row[:-1]), row[-1]) for row in found)

    # --- steps of an update ----------------------------------------------------------------------------------

    def _cut(
        self,
        documents: Iterable[Document],
        cutting: Cutting,
        encoder: Encoder,
        wanted: list[str],
        should_stop: Callable[[], bool],
    ) -> int:
        """Chunks of documents that are new or changed, not live yet; their number."""
        ids: set[str] = set()
        pending: list[tuple[str, Document, Sequence[Chunk]]] = []
        fresh = 0
        for document in documents:
            _stop_if(should_stop)
            assert document.id not in ids, f"two documents are called {document.id}"
            ids.add(document.id)
            key = json_digest([document.digest, cutting.digest, *_variant(encoder)])
            wanted.append(key)
            if self._connection.execute("SELECT 1 FROM documents WHERE key = ?", [key]).fetchone():
                continue
            fresh += 1
            pending.append((key, document, cutting.cut(document)))
            if len(pending) == BATCH_DOCUMENTS:
                self._add(pending, encoder)
                pending = []
        self._add(pending, encoder)
        return fresh

    def _add(self, pending: Sequence[tuple[str, Document, Sequence[Chunk]]], encoder: Encoder) -> None:
        with self._transaction():
            for key, document, found in pending:
                self._connection.execute(
                    "INSERT INTO documents VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)", [key, *astuple(document)]
                )
                self._connection.executemany(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ([key, *row_of(one), _vector_key(one, document, encoder)] for one in found),
                )

    def _embed(
        self, wanted: Sequence[str], encoder: Encoder, progress: Progress, should_stop: Callable[[], bool]
    ) -> tuple[int, int]:
        """Vectors of chunks that have none, a batch to a transaction; how many were made, and how many were there."""
        self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (key TEXT PRIMARY KEY)")
        self._connection.execute("DELETE FROM wanted")
        self._connection.executemany("INSERT INTO wanted VALUES (?)", ([key] for key in wanted))
        # Longest first: what memory and time it takes shows at once, and batches hold texts of one length.
        missing = self._connection.execute(
            "SELECT vector, min(c.key), number FROM chunks c JOIN wanted w ON w.key = c.key "
            "WHERE vector NOT IN (SELECT key FROM vectors) "
            'GROUP BY vector ORDER BY max("end" - start + length(header)) DESC, vector'
        ).fetchall()
        (total,) = self._connection.execute("SELECT count(*) FROM chunks c JOIN wanted w ON w.key = c.key").fetchone()
        if not missing:
            return 0, total
        with progress.task("embed", total=len(missing)) as task:
            for at in range(0, len(missing), BATCH_CHUNKS):
                _stop_if(should_stop)
                batch = missing[at : at + BATCH_CHUNKS]
                texts = [self._texts(key, number) for _, key, number in batch]
                made = iter(encoder.embed([text for parts in texts for text in parts]))
                rows = [
                    (
                        row[0],
                        b"".join(next(made).astype("<f4").tobytes() for _ in parts),
                        sum(_beyond(text, encoder) for text in parts),
                    )
                    for row, parts in zip(batch, texts, strict=True)
                ]
                with self._transaction():
                    self._connection.executemany("INSERT INTO vectors VALUES (?, ?, ?)", rows)
                task.advance(len(batch), note=f"{encoder.truncated_tokens} tokens cut off")
        return len(missing), total - len(missing)

    def _texts(self, key: str, number: int) -> list[str]:
        columns = CHUNK.replace("number", "c.number")
        name, *row, text = self._connection.execute(
            f"SELECT d.id, {columns}, d.text FROM chunks c JOIN documents d ON d.key = c.key "
            "WHERE c.key = ? AND number = ?",
            [key, number],
        ).fetchone()
        return embedded_texts(chunk_of(name, row), text)

    def _make_live(self, wanted: Sequence[str]) -> int:
        """One step from the old documents to the new ones; how many of the old left tombstones."""
        with self._transaction():
            gone = self._connection.execute(
                "UPDATE documents SET live = 0 WHERE live = 1 AND key NOT IN (SELECT key FROM wanted)"
            ).rowcount
            self._connection.executemany("UPDATE documents SET live = 1 WHERE key = ?", ([key] for key in wanted))
        return gone

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"the store {self.path} cannot be written: {error}",
                hint="free some disk space and run again; what was embedded is kept",
            ) from error


def _stop_if(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Interrupted("stopped while indexing", hint="run again: it goes on from here")


def _beyond(text: str, encoder: Encoder) -> int:
    return max(0, encoder.count(text) + encoder.num_special - encoder.window_tokens)


def _variant(encoder: Encoder) -> tuple[str, str]:
    return encoder.identity, encoder.precision


def _vector_key(chunk: Chunk, document: Document, encoder: Encoder) -> bytes:
    texts = embedded_texts(chunk, document.text)
    return sha256("\x00".join((*_variant(encoder), *texts)).encode(errors="surrogatepass")).digest()


def row_of(chunk: Chunk, /) -> list[str | int]:
    """A chunk as it is stored, without its document."""
    path, flags, parts = (json.dumps(list(one), ensure_ascii=False) for one in (chunk.path, chunk.flags, chunk.parts))
    return [chunk.number, chunk.start, chunk.end, chunk.header, path, chunk.section, chunk.kind, flags, parts]


def chunk_of(document: str, row: Sequence[str | int], /) -> Chunk:
    """The chunk that `row_of` made a row of."""
    number, start, end, header, path, section, kind, flags, parts = row
    headings, flagged, spans = (() if one == "[]" else json.loads(str(one)) for one in (path, flags, parts))
    return Chunk(
        document, number, start, end, header, tuple(headings), section, kind, tuple(flagged),  # type: ignore[arg-type]
        tuple((low, high) for low, high in spans),
    )  # fmt: skip
