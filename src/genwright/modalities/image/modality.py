"""Pictures: files, validity, distance, preview; `metrics` measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import ClaimDraft
from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.image.config import ImageMetricsConfig, ImageSourceConfig
from genwright.modalities.image.distances import nearest_pictures
from genwright.modalities.image.pixels import IMAGE, decode_png, pixels_of
from genwright.modalities.image.preview import draw_grid, write_files
from genwright.modalities.image.reading import read_images


class ImageModality:
    """Pictures of one size, 8 bit, grey or RGB, as PNG bytes in the column `image`; other columns go along."""

    name = "image"
    suffix = "png"

    def read(self, source: ImageSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """Tables of at most 1,024 pictures; see `genwright.modalities.image.reading`.

        Raises:
            DataError: a file cannot be read, or a picture has another size.
        """
        yield from read_images(source, root=root)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A row is legal where it holds a whole PNG, 8 bit, grey or RGB."""
        return [_fault(body) for body in rows.column(IMAGE).to_pylist()]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The size and the levels, whatever the compression."""
        return [_key(body) for body in rows.column(IMAGE).to_pylist()]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The root of the mean squared difference over pixels and channels, with levels from 0 to 1."""
        return nearest_pictures(pixels_of(rows), pixels_of(reference))

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: ImageMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.image.metrics`."""
        from genwright.modalities.image.metrics import measure  # needs torch, which reading pictures does not

        return measure(candidates, train=train, test=test, config=config, seed=seed)

    def restored(
        self, system: Any, *, train: pa.Table, test: pa.Table, config: Any, seed: int
    ) -> tuple[list[dict[str, Any]], list[ClaimDraft]]:
        """See `genwright.modalities.image.restoration`; nothing where `config.metrics` does not ask for it."""
        asked = config.metrics.restoration
        if asked is None:
            return [], []
        from genwright.modalities.image.restoration import restoration_claims, restored_rows

        rows = restored_rows(system, train=train, test=test, config=asked, seed=seed)
        return rows, restoration_claims(asked, level=config.level, resamples=config.resamples)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """The first 64 pictures in one, as PNG."""
        return draw_grid(rows, path)

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """A PNG file for each, and `captions.csv`."""
        return write_files(rows, folder)


def _fault(body: bytes | None) -> str | None:
    try:
        decode_png(body or b"")
    except ValueError:
        return "no-picture"
    return None


def _key(body: bytes | None) -> bytes:
    try:
        levels = decode_png(body or b"")
    except ValueError:
        return body or b""
    return str(levels.shape).encode() + levels.tobytes()
