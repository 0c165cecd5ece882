"""An approximate index in a folder, by Qdrant Edge: for 200,000 vectors and more."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core import load_reference
from genwright.nets.encoder.protocol import Matrix

EXTRA = "edge"
EDGES, BUILD_LOOKS, SEARCH_LOOKS = 16, 128, 512
BATCH = 1000


def write_shard(folder: Path, matrix: Matrix, /) -> None:
    """A graph over the rows of a matrix, by their numbers."""
    edge = _edge()
    folder.mkdir(parents=True, exist_ok=True)
    shard = edge.EdgeShard.create(
        str(folder),
        edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=matrix.shape[1], distance=edge.Distance.Dot),
            hnsw_config=edge.HnswIndexConfig(m=EDGES, ef_construct=BUILD_LOOKS, full_scan_threshold=BATCH),
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=BATCH),
            wal_enabled=False,
        ),
    )
    rows = iter(enumerate(matrix))
    while batch := list(islice(rows, BATCH)):
        points = [edge.Point(id=row, vector=vector.tolist()) for row, vector in batch]
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    shard.close()


class EdgeNearest:
    """Candidates from the graph in a folder."""

    def __init__(self, folder: Path, /) -> None:
        self._edge = _edge()
        self._shard = self._edge.EdgeShard.load(str(folder))

    def nearest(self, query: Matrix, /, *, limit: int) -> list[int]:
        """Rows near a vector."""
        request = self._edge.SearchRequest(
            query=self._edge.Query.Nearest(np.asarray(query).tolist()),
            limit=limit,
            params=self._edge.SearchParams(hnsw_ef=max(SEARCH_LOOKS, limit)),
        )
        return [int(point.id) for point in self._shard.search(request)]

    def close(self) -> None:
        """Releases the folder."""
        self._shard.close()


def _edge() -> Any:
    load_reference("qdrant_edge:EdgeShard", extra=EXTRA)
    import qdrant_edge

    return qdrant_edge
