"""Vectors in Postgres with pgvector: one table per index, shared by many servers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from genwright.core import DataError, SpecError, load_reference
from genwright.nets.encoder.protocol import Matrix

EXTRA = "postgres"
CONNECT_SECONDS = 3
SEARCH_LOOKS = 200
MOST_D = 2000  # pgvector's bound for an index over float32
_Result = TypeVar("_Result")


class PostgresNearest:
    """Candidates from a table; it is filled where it is not there yet, in one transaction.

    Raises:
        DependencyError: the extra is not installed.
        DataError: the server has no pgvector, or refuses.
        ConnectionError: it does not answer.
    """

    def __init__(self, url: str, /, *, digest: str, matrix: Matrix) -> None:
        if matrix.shape[1] > MOST_D:
            raise SpecError(f"vectors of {matrix.shape[1]} numbers are more than pgvector indexes ({MOST_D})")
        load_reference("pgvector.psycopg:register_vector", extra=EXTRA)
        self._psycopg: Any = _psycopg()
        self._url, self._table = url, f"genwright_{digest[:32]}"
        self._local = threading.local()
        self._opened: list[Any] = []
        self._answered(lambda connection: self._fill(connection, matrix))

    def nearest(self, query: Matrix, /, *, limit: int) -> list[int]:
        """Rows near a vector; a connection that was lost is tried once more."""
        try:
            return self._answered(lambda connection: self._search(connection, query, limit))
        except ConnectionError:
            return self._answered(lambda connection: self._search(connection, query, limit))

    def close(self) -> None:
        """Closes every connection."""
        for connection in self._opened:
            connection.close()

    def _search(self, connection: Any, query: Matrix, limit: int) -> list[int]:
        with connection.transaction():
            looks = min(1000, max(SEARCH_LOOKS, limit))
            connection.execute(f"SET LOCAL hnsw.ef_search = {looks}")
            connection.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
            found = connection.execute(
                f"SELECT row FROM {self._table} ORDER BY vector <#> %s LIMIT %s", [np.asarray(query), limit]
            ).fetchall()
        return [int(row) for (row,) in found]

    def _fill(self, connection: Any, matrix: Matrix) -> None:
        with connection.transaction():
            # Two processes that open one index: the second waits here, and finds the table.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [self._table])
            (there,) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [self._table]).fetchone()
            if there:
                return
            connection.execute(
                f"CREATE TABLE {self._table} (row integer PRIMARY KEY, vector vector({matrix.shape[1]}))"
            )
            with connection.cursor().copy(f"COPY {self._table} FROM STDIN WITH (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "vector"])
                for row, vector in enumerate(matrix):
                    copy.write_row([row, np.asarray(vector)])
            connection.execute(f"CREATE INDEX ON {self._table} USING hnsw (vector vector_ip_ops)")

    def _answered(self, ask: Callable[[Any], _Result]) -> _Result:
        """What the server says; a connection that broke is dropped, and its error is one of connections."""
        connection = None
        try:
            connection = self._connection()
            return ask(connection)
        except self._psycopg.OperationalError as error:
            self._local.connection = None
            if connection is not None:
                connection.close()
            raise ConnectionError(str(error).strip().splitlines()[0]) from None
        except self._psycopg.Error as error:
            raise DataError(
                f"Postgres refuses: {str(error).strip().splitlines()[0]}",
                hint="it needs the extension 'vector', and the right to make a table",
            ) from error

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)
            self._opened.append(connection)
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            load_reference("pgvector.psycopg:register_vector", extra=EXTRA)(connection)
            self._local.connection = connection
        return connection


def _psycopg() -> Any:
    load_reference("psycopg:connect", extra=EXTRA)
    import psycopg

    return psycopg
