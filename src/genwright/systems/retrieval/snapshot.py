"""What a store holds now, as one file that never changes: equal contents give equal bytes. Imports no torch."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.modalities.document.document import Chunk, Document, below
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.store import CHUNK, DOCUMENT, Store, chunk_of, row_of

NAME = "index.sqlite"
FORMAT = 2
SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL, format TEXT NOT NULL,
    source TEXT NOT NULL, licence TEXT NOT NULL, url TEXT NOT NULL) STRICT;
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY, document INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, header TEXT NOT NULL, path TEXT NOT NULL, section INTEGER NOT NULL, kind TEXT NOT NULL,
    flags TEXT NOT NULL, parts TEXT NOT NULL) STRICT;
CREATE TABLE vectors (part INTEGER PRIMARY KEY, row INTEGER NOT NULL, vector BLOB NOT NULL) STRICT;
"""
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """What is said of a snapshot: `digest` is that of its contents, `settings` how it was made and is searched."""

    digest: str
    encoder: str
    d: int
    num_documents: int
    num_chunks: int
    num_vectors: int
    settings: Mapping[str, Any]


def write_snapshot(store: Store, folder: Path, /, *, encoder: str, settings: Mapping[str, Any]) -> Facts:
    """Writes `index.sqlite` with the live documents of a store.

    Raises:
        DataError: there is nothing to find.
    """
    path = folder / NAME
    assert not path.exists(), f"{path} is there already"
    digest = sha256(canonical_json([FORMAT, encoder, dict(settings)]))
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        for pragma in ("page_size = 8192", "journal_mode = OFF", "synchronous = OFF"):
            target.execute(f"PRAGMA {pragma}")
        target.executescript(SCHEMA)
        target.execute("BEGIN")
        num_documents = num_chunks = num_vectors = d = 0
        for num_documents, (document, chunks) in enumerate(store.rows(), start=1):
            target.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [num_documents, *astuple(document)])
            digest.update(document.digest.encode())
            for chunk, vector in chunks:
                row = row_of(chunk)
                target.execute(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [num_chunks, num_documents, *row]
                )
                count = len(chunk.embedded)
                size = len(vector) // count
                own = [vector[at * size : (at + 1) * size] for at in range(count)]
                target.executemany(
                    "INSERT INTO vectors VALUES (?, ?, ?)",
                    [(num_vectors + at, num_chunks, part) for at, part in enumerate(own)],
                )
                digest.update(canonical_json(row) + vector)
                num_chunks, num_vectors, d = num_chunks + 1, num_vectors + count, size // 4
        if not num_chunks:
            raise DataError("there is no text to index", hint="look at data.sources and at dropped.parquet")
        facts = Facts(digest.hexdigest(), encoder, d, num_documents, num_chunks, num_vectors, dict(settings))
        target.executemany(
            "INSERT INTO settings VALUES (?, ?)",
            [
                (name, canonical_json(value).decode())
                for name, value in sorted({"format": FORMAT, **asdict(facts)}.items())
            ],
        )
        target.execute("COMMIT")
    return facts


class Snapshot:
    """Documents and chunks of a snapshot; rows are numbered from 0 on, by document and place. Safe between threads.

    Raises:
        IntegrityError: the file is missing, broken or of another format.
    """

    def __init__(self, folder: Path, /) -> None:
        self.path = folder / NAME
        self._local = threading.local()
        if not self.path.is_file():
            raise IntegrityError(f"{folder} holds no {NAME}", hint="genwright verify; or run the index stage again")
        try:
            found = {name: json.loads(value) for name, value in self._query("SELECT name, value FROM settings")}
            written = found.pop("format")
            self.facts = Facts(**found)
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{self.path} cannot be read as an index: {error}", hint="genwright verify") from None
        if written != FORMAT:
            raise IntegrityError(f"{self.path} is an index of format {written}, not {FORMAT}", hint="build it again")

    @property
    def search(self) -> SearchConfig:
        """How it was made to be searched; where nothing is said of joining passages, that was not there yet."""
        settings = {"join_characters": 0, **self.facts.settings.get("search", {})}
        return SearchConfig.parse(settings, where="index.search")

    def document(self, name: str, /) -> Document:
        """The document of that id.

        Raises:
            DataError: there is none.
        """
        row = self._query(f"SELECT {DOCUMENT} FROM documents WHERE id = ?", [name]).fetchone()
        if row is None:
            raise DataError(f"the index holds no document '{name}'", hint="documents() names all of them")
        return Document(*row)

    def chunk(self, row: int, /) -> tuple[Chunk, str, Document]:
        """A chunk with its text, and its document without text."""
        columns = CHUNK.replace("number", "c.number")
        *fields, text, name, title, kind, source, licence, url = self._query(
            f'SELECT {columns}, substr(d.text, c.start + 1, c."end" - c.start), d.id, d.title, d.format, d.source, '
            "d.licence, d.url FROM chunks c JOIN documents d ON d.number = c.document WHERE row = ?",
            [row],
        ).fetchone()
        return chunk_of(name, fields), text, Document(name, title, "", kind, source, licence, url)

    def slice(self, document: str, start: int, end: int, /) -> str:
        """The text of a document from `start` to `end`."""
        (text,) = self._query(
            "SELECT substr(text, ? + 1, ?) FROM documents WHERE id = ?", [start, end - start, document]
        ).fetchone()
        return str(text)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Every row with what BM25 searches: header and text."""
        for row, header, text in self._query(
            'SELECT row, header, substr(d.text, c.start + 1, c."end" - c.start) FROM chunks c '
            "JOIN documents d ON d.number = c.document ORDER BY row"
        ):
            yield row, below(header, text)

    def vectors(self) -> Iterator[bytes]:
        """The vector of every part, in order."""
        for (vector,) in self._query("SELECT vector FROM vectors ORDER BY part"):
            yield vector

    @cached_property
    def owners(self) -> Integers:
        """Per vector: the row of the chunk that it is a part of."""
        return np.array([row for (row,) in self._query("SELECT row FROM vectors ORDER BY part")], dtype=np.int64)

    @cached_property
    def documents(self) -> list[Document]:
        """All documents by id, without their texts."""
        return [
            Document(name, title, "", kind, source, licence, url)
            for name, title, kind, source, licence, url in self._query(
                "SELECT id, title, format, source, licence, url FROM documents ORDER BY number"
            )
        ]

    @cached_property
    def places(self) -> Integers:
        """Per row: the document's place in `documents`, start, end and section."""
        rows = self._query('SELECT document - 1, start, "end", section FROM chunks ORDER BY row').fetchall()
        return np.array(rows, dtype=np.int64).reshape(-1, 4)

    @cached_property
    def paths(self) -> list[tuple[str, ...]]:
        """Per row: the headings above it."""
        held: dict[str, tuple[str, ...]] = {}
        found = []
        for (path,) in self._query("SELECT path FROM chunks ORDER BY row"):
            if path not in held:
                held[path] = tuple(json.loads(path))
            found.append(held[path])
        return found

    def _query(self, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            connection = self._local.connection = self._opened(uri)
        return connection.execute(text, values)

    def _opened(self, uri: str) -> sqlite3.Connection:
        try:
            return sqlite3.connect(uri, uri=True)
        except sqlite3.OperationalError as error:
            raise IntegrityError(
                f"{self.path} cannot be opened any more: {error}", hint="was it collected? run the index stage again"
            ) from None
