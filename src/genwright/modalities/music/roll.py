"""Windows as images: a channel per voice, a row per pitch of its range, a column per step."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, GridShape, Representation
from genwright.modalities.music.config import MusicRollConfig
from genwright.modalities.music.grid import GridCodec
from genwright.modalities.music.voices import table_of

MULTIPLE = 4  # nets halve the sides twice
FULL = 255


class RollCodec:
    """Row 0 of a channel is silence, row 1 marks where notes begin, and above lie the pitches of the voice in train.

    Of a picture that is no score the brightest of silence and pitches sounds at each step; a note begins where row 1 is
    over half, and where the pitch changes.
    """

    representation: Representation = "grid"
    unit = "dimension"

    def __init__(self, grid: GridCodec, /) -> None:
        self._grid = grid
        height = 2 + max(count // 2 for _, count in grid.shape.cells[:4])
        width = len(grid.shape.cells) // 4
        self._width = width
        self._shape = GridShape(4, _padded(height), _padded(width))

    @property
    def shape(self) -> GridShape:
        """Four channels; both sides are multiples of four, filled with black."""
        return self._shape

    @classmethod
    def fit(cls, config: MusicRollConfig, *, rows: Iterable[pa.Table]) -> Self:
        """The range of each voice.

        Raises:
            DataError: a voice is silent throughout, or windows differ in length.
        """
        del config
        return cls(GridCodec.fit(rows))

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, 4, height, width) of 0 and 255."""
        return Encoded(self._picture(self._cells(self._grid.encode(rows).values)))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """The pictures of what is known, a column of a channel being known or unknown as a whole."""
        found = self._grid.encode_given(rows)
        assert found.known is not None
        known = np.zeros((len(found), 4, self._width), dtype=np.bool_)
        known[:] = found.known.reshape(len(found), self._width, 4).transpose(0, 2, 1)
        picture = self._picture(self._cells(found.values))
        whole = np.zeros(picture.shape, dtype=np.bool_)
        whole[:, :, :, : self._width] = known[:, :, None, :]
        return Encoded(picture, known=whole)

    def _cells(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n, 4, steps) ids counted from 0 in each voice."""
        firsts = np.array([first for first, _ in self._grid.shape.cells[:4]])
        return np.asarray((ids.reshape(-1, self._width, 4) - firsts).transpose(0, 2, 1), dtype=np.int64)

    def _picture(self, cells: NDArray[np.int64]) -> NDArray[np.uint8]:
        rows = np.where(cells > 0, 2 + (cells - 1) // 2, 0)
        out = np.zeros((len(cells), 4, self._shape.height, self._shape.width), dtype=np.uint8)
        np.put_along_axis(out[..., : self._width], rows[:, :, None, :], FULL, axis=2)
        out[:, :, 1, : self._width] = np.where(cells % 2 == 1, FULL, 0)
        return out

    def decode(self, encoded: Encoded) -> pa.Table:
        """A text per voice."""
        values = np.asarray(encoded.values)
        # Floats are in [-1, 1] where levels were not restored.
        begun = values[:, :, 1, : self._width] > (FULL / 2 if values.dtype == np.uint8 else 0.0)
        steps = np.zeros((len(values), 4, self._width), dtype=np.int64)
        for voice, (low, high) in enumerate(self._grid.ranges):
            bright = np.delete(values[:, voice, : high - low + 3, : self._width], 1, axis=1).argmax(axis=1)
            attacks = begun[:, voice] | (np.diff(bright, axis=1, prepend=-1) != 0)
            steps[:, voice] = np.where(bright > 0, 2 * (low + bright - 1) + np.where(attacks, 1, 2), 0)
        return table_of(steps)

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """Entries of the picture."""
        return np.full(len(rows), float(self._shape.size))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        lows, highs = zip(*self._grid.ranges, strict=True)
        body = {"kind": "music-roll", "lows": lows, "highs": highs, "num_steps": self._width}
        (folder / "codec.json").write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            return cls(GridCodec(body["lows"], body["highs"], num_steps=body["num_steps"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None


def _padded(size: int) -> int:
    return -(-size // MULTIPLE) * MULTIPLE
