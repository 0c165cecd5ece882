"""Vectors in a Qdrant server: one collection per index."""

from __future__ import annotations

from typing import Any

import numpy as np

from genwright.core import DataError, load_reference
from genwright.nets.encoder.protocol import Matrix

EXTRA = "qdrant"
TIMEOUT_SECONDS = 5
BATCH = 256
SEARCH_LOOKS = 512


class QdrantNearest:
    """Candidates from a collection; it is filled where it is not there yet, or not whole.

    `url` is the server's; `:memory:` and `path:FOLDER` are the client's own local modes.

    Raises:
        DependencyError: the extra is not installed.
        DataError: the server refuses.
        ConnectionError: it does not answer.
    """

    def __init__(self, url: str, /, *, digest: str, matrix: Matrix) -> None:
        self._is_local = url.startswith((":memory:", "path:"))
        self._client: Any = _client(url)
        self._models: Any = load_reference("qdrant_client:models", extra=EXTRA)
        self._name = f"genwright_{digest[:32]}"
        self._answered(self._fill, matrix)

    def nearest(self, query: Matrix, /, *, limit: int) -> list[int]:
        """Rows near a vector."""
        found: list[int] = self._answered(self._search, query, limit)
        return found

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _search(self, query: Matrix, limit: int) -> list[int]:
        # The client's local modes scan everything, and warn of settings.
        settings = None if self._is_local else self._models.SearchParams(hnsw_ef=max(SEARCH_LOOKS, limit))
        found = self._client.query_points(
            self._name, query=np.asarray(query).tolist(), limit=limit, with_payload=False, search_params=settings
        )
        return [int(point.id) for point in found.points]

    def _fill(self, matrix: Matrix) -> None:
        if self._client.collection_exists(self._name):
            if self._client.count(self._name, exact=True).count == len(matrix):
                return
            self._client.delete_collection(self._name)
        self._client.create_collection(
            self._name,
            vectors_config=self._models.VectorParams(size=matrix.shape[1], distance=self._models.Distance.DOT),
        )
        for at in range(0, len(matrix), BATCH):
            points = [
                self._models.PointStruct(id=at + row, vector=vector.tolist())
                for row, vector in enumerate(matrix[at : at + BATCH])
            ]
            self._client.upsert(self._name, points, wait=True)

    def _answered(self, ask: Any, *arguments: Any) -> Any:
        handling = load_reference("qdrant_client.http.exceptions:ResponseHandlingException", extra=EXTRA)
        unexpected = load_reference("qdrant_client.http.exceptions:UnexpectedResponse", extra=EXTRA)
        try:
            return ask(*arguments)
        except handling as error:
            raise ConnectionError(str(error) or type(error).__name__) from None
        except unexpected as error:
            raise DataError(f"the Qdrant server refuses: {str(error).splitlines()[0]}") from error


def _client(url: str) -> Any:
    client = load_reference("qdrant_client:QdrantClient", extra=EXTRA)
    if url == ":memory:":
        return client(":memory:")
    if url.startswith("path:"):
        return client(path=url.removeprefix("path:"))
    return client(url=url, timeout=TIMEOUT_SECONDS, check_compatibility=False)
