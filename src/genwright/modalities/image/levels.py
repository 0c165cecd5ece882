"""Pictures as sequences of cells of few levels, for families over tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from genwright.core import IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, GridShape, Representation, TokenShape
from genwright.modalities.image.config import LevelsConfig
from genwright.modalities.image.grid import common_size, fitting, given_pixels
from genwright.modalities.image.pixels import IMAGE, Levels, pictures_of


class LevelsCodec:
    """Pixels row after row, the channels of one after each other, at a reduced size and of few levels.

    What comes back has the size of the picture but neither its detail nor its levels: likelihoods are those of the
    reduced picture, per cell, and do not compare with those of all pixels.
    """

    representation: Representation = "tokens"
    unit = "cell"

    def __init__(self, *, size: tuple[int, int, int], side: int, levels: int) -> None:
        self._size, self._levels, self._side = size, levels, side
        longest = max(size[1:])
        self._small = tuple(max(1, round(one * min(1.0, side / longest))) for one in size[1:])
        cells = size[0] * self._small[0] * self._small[1]
        self._shape = TokenShape(levels + 2, levels, levels + 1, cells, ((0, levels),) * cells)

    @property
    def shape(self) -> TokenShape:
        """One cell for each pixel and channel of the reduced picture; cells share their ids."""
        return self._shape

    @classmethod
    def fit(cls, config: LevelsConfig, *, rows: Iterable[pa.Table]) -> Self:
        """The size of the pictures.

        Raises:
            DataError: there is none, or they differ.
        """
        return cls(size=common_size(rows), side=config.side, levels=config.levels)

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, cells) int64.

        Raises:
            DataError: a picture has another size.
        """
        return Encoded(self._ids(fitting(rows, GridShape(*self._size))))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """A cell is known where all of its pixels are.

        Raises:
            DataError: as `GridCodec.encode_given`.
        """
        values, known = given_pixels(rows, GridShape(*self._size))
        share = self._reduced(known[:, :1].astype(np.uint8) * 255)
        whole = np.repeat(share == 255, self._size[0], axis=1)
        return Encoded(self._ids(values), known=np.moveaxis(whole, 1, -1).reshape(len(rows), -1))

    def decode(self, encoded: Encoded) -> pa.Table:
        """Pictures in the size of the originals, smoothly enlarged."""
        ids = np.asarray(encoded.values).reshape(-1, *self._small, self._size[0])
        values = np.round(ids * (255.0 / (self._levels - 1))).clip(0, 255).astype(np.uint8)
        return pa.table({IMAGE: pictures_of(_scaled(np.moveaxis(values, -1, 1), (self._size[1], self._size[2])))})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """Cells of a picture."""
        return np.full(len(rows), float(self._shape.context_tokens))

    def _ids(self, values: Levels) -> NDArray[np.int64]:
        small = self._reduced(values).astype(np.float64) * ((self._levels - 1) / 255.0)
        return np.moveaxis(np.round(small).astype(np.int64), 1, -1).reshape(len(values), -1)

    def _reduced(self, values: Levels) -> Levels:
        return _scaled(values, (self._small[0], self._small[1]))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"kind": "image-levels", "size": list(self._size), "side": self._side, "levels": self._levels}
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            channels, height, width = (int(one) for one in body["size"])
            return cls(size=(channels, height, width), side=int(body["side"]), levels=int(body["levels"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def _scaled(values: Levels, size: tuple[int, int]) -> Levels:
    """(n, c, h, w) at another size: means of areas when it shrinks, straight lines between pixels when it grows."""
    if values.shape[2:] == size:
        return values
    way = Image.Resampling.BOX if size[0] < values.shape[2] else Image.Resampling.BILINEAR
    flat = values.reshape(-1, *values.shape[2:])
    out = [np.asarray(Image.fromarray(one).resize((size[1], size[0]), way)) for one in flat]
    return np.stack(out).reshape(*values.shape[:2], *size) if out else np.zeros((*values.shape[:2], *size), np.uint8)
