"""Pictures as grids of levels."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, GridShape, Representation
from genwright.modalities.image.config import GridConfig
from genwright.modalities.image.pixels import IMAGE, Levels, pictures_of, pixels_of, size_name, why_unread


class GridCodec:
    """A picture is its levels; nothing is lost."""

    representation: Representation = "grid"
    unit = "dimension"

    def __init__(self, shape: GridShape) -> None:
        self._shape = shape

    @property
    def shape(self) -> GridShape:
        """That of every picture."""
        return self._shape

    @classmethod
    def fit(cls, config: GridConfig, *, rows: Iterable[pa.Table]) -> Self:
        """The shape of the pictures.

        Raises:
            DataError: there is none, or they differ.
        """
        del config
        return cls(GridShape(*common_size(rows)))

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, c, h, w) uint8.

        Raises:
            DataError: a picture has another size.
        """
        return Encoded(fitting(rows, self._shape))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """What is known: a null picture not at all, and of one with transparency no pixel that is not wholly opaque.

        A picture is PNG bytes, or the path of a PNG file.

        Raises:
            DataError: there is no such picture, or it has another size.
        """
        values, known = given_pixels(rows, self._shape)
        return Encoded(values, known=known)

    def decode(self, encoded: Encoded) -> pa.Table:
        """A table with the column `image`."""
        return pa.table({IMAGE: pictures_of(np.asarray(encoded.values, dtype=np.uint8))})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """Levels of a picture, one for each pixel and channel."""
        return np.full(len(rows), float(self._shape.size))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"kind": "image-grid", "size": [self._shape.channels, self._shape.height, self._shape.width]}
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            channels, height, width = json.loads((folder / "codec.json").read_bytes())["size"]
            return cls(GridShape(int(channels), int(height), int(width)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def common_size(rows: Iterable[pa.Table], /) -> tuple[int, int, int]:
    """Channels, height and width of all pictures.

    Raises:
        DataError: there is no picture, or they differ.
    """
    found: tuple[int, int, int] | None = None
    for table in rows:
        if not len(table):
            continue
        _, *size = pixels_of(table).shape
        if found is not None and tuple(size) != found:
            raise DataError(
                f"there are pictures of {size_name(found)} and of {size_name(tuple(size))}",
                hint="set size and mode of every source in data.sources alike, and resize",
            )
        found = (size[0], size[1], size[2])
    if found is None:
        raise DataError("there is no picture, so no codec can be fitted", hint="look at dropped.parquet")
    return found


def fitting(rows: pa.Table, shape: GridShape, /) -> Levels:
    """The pictures of that shape as (n, c, h, w).

    Raises:
        DataError: they have another.
    """
    wanted = (shape.channels, shape.height, shape.width)
    values = pixels_of(rows)
    if not len(values):
        return np.zeros((0, *wanted), dtype=np.uint8)
    if values.shape[1:] != wanted:
        raise DataError(f"pictures of {size_name(values.shape[1:])}; this codec works on {size_name(wanted)}")
    return values


def given_pixels(rows: pa.Table, shape: GridShape, /) -> tuple[Levels, NDArray[np.bool_]]:
    """Levels (n, c, h, w), and which of them are known.

    Raises:
        DataError: see `GridCodec.encode_given`.
    """
    wanted = (shape.channels, shape.height, shape.width)
    cells = rows.column(IMAGE).to_pylist() if IMAGE in rows.column_names else [None] * len(rows)
    values, known = np.zeros((len(rows), *wanted), dtype=np.uint8), np.zeros((len(rows), *wanted), dtype=np.bool_)
    for at, cell in enumerate(cells):
        if cell is not None:
            values[at], known[at] = _layers(cell, wanted)
    return values, known


def _layers(cell: Any, wanted: tuple[int, int, int]) -> tuple[Levels, NDArray[np.bool_]]:
    name = cell if isinstance(cell, str) else f"the given {IMAGE}"
    try:
        with Image.open(io.BytesIO(cell) if isinstance(cell, bytes) else cell, formats=("PNG",)) as picture:
            if (picture.height, picture.width) != wanted[1:]:
                raise DataError(
                    f"{name} has {picture.height}x{picture.width} pixels; this system makes {size_name(wanted)}",
                    hint="scale it to that size first",
                )
            opaque = np.asarray(picture.convert("RGBA"))[..., 3] == 255
            plain = np.asarray(picture.convert("L" if wanted[0] == 1 else "RGB"))
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{name} cannot be read as a PNG picture ({why_unread(error)})",
            hint="give the path of a PNG file in which the part to be filled in is transparent",
        ) from None
    levels = plain[None] if plain.ndim == 2 else np.moveaxis(plain, -1, 0)
    return levels, np.broadcast_to(opaque, wanted)
