"""The token codec of music: of windows a grid, of tunes events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pyarrow as pa

from genwright.core import DataError, IntegrityError
from genwright.modalities.music.config import MusicTokensConfig
from genwright.modalities.music.events import EventCodec
from genwright.modalities.music.grid import GridCodec


class MusicTokens:
    """Makes and loads the codec that suits the samples."""

    @staticmethod
    def fit(config: MusicTokensConfig, *, rows: Iterable[pa.Table]) -> GridCodec | EventCodec:
        """A codec for the columns that are there.

        Raises:
            DataError: there is no sample, or it holds both windows and tunes.
        """
        tables = iter(rows)
        first = next(tables, None)
        if first is None:
            raise DataError("there is no sample to fit a codec to", hint="look at what the data stage dropped")
        chosen = EventCodec if "tune" in first.column_names else GridCodec
        return chosen.fit(chain([first], tables), transpose_up_to=config.transpose_up_to)

    @staticmethod
    def load(folder: Path) -> GridCodec | EventCodec:
        """What `save` of either wrote.

        Raises:
            IntegrityError: it is not readable.
        """
        try:
            body = json.loads((folder / "codec.json").read_bytes())
            return GridCodec(**body["grid"]) if "grid" in body else EventCodec(**body["events"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name}: no readable codec ({error})", hint="genwright verify") from None
