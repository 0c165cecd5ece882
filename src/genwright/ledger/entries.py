"""The append-only table: every row is canonical JSON, chained to the row before by its hash."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genwright.core.digest import canonical_json
from genwright.core.errors import IntegrityError, StorageError
from genwright.core.lock import exclusive
from genwright.ledger.pages import page_problems

Kind = Literal["run_started", "run", "artifact", "claim", "policy", "verdict", "decision", "collected"]
GENESIS = "0" * 64

# Only `body` is stored; whatever is searched is an expression over it, so that a row cannot disagree with itself.
SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS entry_kind ON entries (kind, seq);
CREATE INDEX IF NOT EXISTS run_key ON entries (json_extract(body, '$.key'), seq) WHERE kind IN ('run', 'decision');
CREATE INDEX IF NOT EXISTS entry_id ON entries (kind, json_extract(body, '$.id'));
CREATE INDEX IF NOT EXISTS claim_run ON entries (json_extract(body, '$.run'), seq) WHERE kind = 'claim';
CREATE INDEX IF NOT EXISTS claim_metric ON entries (json_extract(body, '$.metric'), seq) WHERE kind = 'claim';
CREATE INDEX IF NOT EXISTS claim_subject ON entries (json_extract(body, '$.subject'), seq) WHERE kind = 'claim';
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


@dataclass(frozen=True)
class Entry:
    """One row: its place in the chain, its kind and its body."""

    seq: int
    kind: str
    body: dict[str, Any]


def chain_hash(previous: str, kind: str, body: bytes) -> str:
    """The hash of a row: SHA-256 over the hash before it, its kind and its body."""
    return hashlib.sha256(b"\n".join((previous.encode(), kind.encode(), body))).hexdigest()


class Entries:
    """The ledger's rows in one SQLite file (WAL mode); safe for several processes at once."""

    def __init__(self, path: Path, /) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._prepare()
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageError(
                f"cannot open the ledger {path}: {error}", hint="check that the folder exists and is writable"
            ) from error
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error

    def _prepare(self) -> None:
        if not self._is_made():
            # SQLite does not wait while another process switches the new file to WAL; the lock does.
            with exclusive(self.path.with_suffix(".lock")):
                if not self._is_made():
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.executescript(SCHEMA)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA secure_delete = ON")  # unused space is zero, and a change there is found

    def _is_made(self) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'no_delete'").fetchone() is not None

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"cannot write the ledger {self.path}: {error}",
                hint="free disk space or make the folder writable, then run again: finished stages are kept",
            ) from error
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def append(self, rows: Sequence[tuple[Kind, dict[str, Any]]], /) -> int:
        """The place of the last of these rows; all of them are written, or none."""
        with self._transaction():
            last = self._connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
            seq, head = last or (0, GENESIS)
            for kind, body in rows:
                text = canonical_json(body)
                seq, head = seq + 1, chain_hash(head, kind, text)
                self._connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (seq, kind, text.decode(), head))
        return int(seq)

    def select(self, where: str, values: Sequence[Any] = (), /, *, tail: str = "ORDER BY seq") -> list[Entry]:
        """The rows where the SQL condition holds."""
        sql = f"SELECT seq, kind, body FROM entries WHERE {where} {tail}"
        try:
            found = self._connection.execute(sql, tuple(values)).fetchall()
            return [Entry(seq, kind, json.loads(body)) for seq, kind, body in found]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _damaged(self.path, error) from error

    def count(self, kind: Kind, /) -> int:
        """How many rows of a kind there are."""
        return int(self._connection.execute("SELECT count(*) FROM entries WHERE kind = ?", (kind,)).fetchone()[0])

    def problems(self) -> list[str]:
        """Every fault of the chain and of the file, named; empty when all is as it was written."""
        found: list[str] = []
        try:
            found += [f"ledger file: {row[0]}" for row in self._connection.execute("PRAGMA integrity_check")]
            found = [] if found == ["ledger file: ok"] else found
            if _schema(self._connection) != _expected_schema():
                found.append(f"ledger file {self.path.name}: its schema is not what was written")
            found += self._chain_problems()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found += page_problems(self.path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            found.append(f"ledger file {self.path.name}: {error}")
        return found

    def _chain_problems(self) -> list[str]:
        found, previous, expected = [], GENESIS, 1
        for seq, kind, body, stored in self._connection.execute(
            "SELECT seq, kind, CAST(body AS BLOB), hash FROM entries ORDER BY seq"
        ):
            if seq != expected:
                found.append(f"ledger row {expected} is missing (the next one is {seq})")
            if chain_hash(previous, kind, body) != stored:
                found.append(f"ledger row {seq} ({kind}) is not what was written: {body[:80]!r}")
            previous, expected = stored, seq + 1
        return found


def _schema(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()


def _expected_schema() -> list[Any]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        return _schema(fresh)


def _damaged(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"the ledger {path} is damaged: {error}", hint="run `genwright verify`, then restore the file from a backup"
    )
