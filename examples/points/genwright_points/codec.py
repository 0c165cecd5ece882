"""Points to standardised pairs and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core.protocols import Encoded, Representation, VectorColumn, VectorShape

NAMES = ("x", "y")


class PointsCodec:
    """Mean 0 and deviation 1 on the train split."""

    representation: Representation = "vector"
    unit = "point"

    def __init__(self, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        self._mean, self._scale = mean, scale

    @classmethod
    def fit(cls, config: Any, *, rows: Iterable[pa.Table]) -> Self:
        """Mean and deviation of the train split."""
        del config
        points = np.concatenate([_matrix(table) for table in rows])
        return cls(points.mean(0), np.maximum(points.std(0), 1e-12))

    @property
    def shape(self) -> VectorShape:
        """Two numbers."""
        return VectorShape(tuple(VectorColumn(name, "number") for name in NAMES))

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, 2) standardised."""
        return Encoded(((_matrix(rows) - self._mean) / self._scale).astype(np.float32))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """What is known of each point; null or a missing column is unknown."""
        cells = np.full((len(rows), 2), np.nan)
        for place, name in enumerate(NAMES):
            if name in rows.column_names:
                cells[:, place] = rows.column(name).cast(pa.float64()).to_numpy()
        known = ~np.isnan(cells)
        values = np.where(known, (cells - self._mean) / self._scale, 0.0)
        return Encoded(values.astype(np.float32), known=known)

    def decode(self, encoded: Encoded) -> pa.Table:
        """Points in their own units."""
        points = encoded.values.astype(np.float64) * self._scale + self._mean
        return pa.table({name: points[:, place] for place, name in enumerate(NAMES)})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A point is a point."""
        return np.ones(len(rows))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"kind": "points-vector", "mean": self._mean.tolist(), "scale": self._scale.tolist()}
        (folder / "codec.json").write_text(json.dumps(body), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        body = json.loads((folder / "codec.json").read_bytes())
        return cls(np.array(body["mean"]), np.array(body["scale"]))


def _matrix(rows: pa.Table) -> NDArray[np.float64]:
    return np.stack([rows.column(name).cast(pa.float64()).to_numpy() for name in NAMES], axis=1)
