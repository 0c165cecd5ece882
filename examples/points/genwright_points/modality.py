"""Points in the plane: files, validity, distance, metrics, preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from genwright.core import ClaimDraft, DataError, Derivation
from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.files.sources import list_files
from genwright_points.codec import NAMES
from genwright_points.config import PointsSourceConfig


class PointsModality:
    """Reads, measures and shows points."""

    name = "points"
    suffix = "csv"

    def read(self, source: PointsSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """A table per file.

        Raises:
            DataError: a file has no columns x and y of numbers.
        """
        for file in list_files(source, root=root):
            try:
                table = csv.read_csv(file.path).select(list(NAMES)).cast(pa.schema([(n, pa.float64()) for n in NAMES]))
            except (KeyError, pa.ArrowException) as error:
                raise DataError(f"{file.path}: {error}", hint="points need the columns x and y, both numbers") from None
            ids = pa.array([f"{file.name}:{row + 2}" for row in range(len(table))])
            yield pa.table({"id": ids, "group": ids, **{name: table.column(name) for name in NAMES}})

    def validate(self, rows: pa.Table) -> list[str | None]:
        """Points have two finite coordinates."""
        return [None if np.isfinite(point).all() else "not-finite" for point in _matrix(rows)]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The coordinates, to six places."""
        return [np.round(point, 6).tobytes() for point in _matrix(rows)]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Euclidean."""
        gaps = np.linalg.norm(_matrix(rows)[:, None] - _matrix(reference), axis=2)
        return gaps.min(1), gaps.argmin(1).astype(np.int64)

    def measure(
        self, candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: Any, seed: int
    ) -> Measured:
        """The distance of every held-out point to the nearest sample."""
        del train, config, seed
        columns: dict[str, list[Any]] = {"candidate": [], "distance": []}
        drafts = []
        for candidate in candidates:
            gaps = self.nearest(test, candidate.rows)[0]
            columns["candidate"] += [candidate.name] * len(gaps)
            columns["distance"] += gaps.tolist()
            mean = Derivation("mean", {"value": "distance"}, where={"candidate": candidate.name}, interval="bootstrap")
            drafts.append(
                ClaimDraft(
                    "system",
                    "held_out_distance",
                    "length",
                    "scores",
                    mean,
                    label=candidate.label,
                    data="dataset",
                    better="lower",
                )
            )
        return Measured(columns, drafts)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """A scatter plot as SVG."""
        points = _matrix(rows)
        low, span = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5"/>' for x, y in (points - low) / span * 200)
        target = path.with_suffix(".svg")
        head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-5 -5 210 210"><title>points</title>'
        target.write_text(f"{head}{dots}</svg>\n", encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """One CSV file."""
        csv.write_csv(rows, folder / "samples.csv")
        return (folder / "samples.csv",)


def _matrix(rows: pa.Table) -> NDArray[np.float64]:
    return np.stack([rows.column(name).to_numpy() for name in NAMES], axis=1)
