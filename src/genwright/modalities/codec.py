"""A saved codec, whatever its kind, with the condition that was fitted beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, component
from genwright.core.protocols import Encoded, Representation, RowCodec, Shape
from genwright.modalities.condition import NAME as CONDITION
from genwright.modalities.condition import Conditioner


def load_codec(folder: Path, /) -> Any:
    """The codec saved in `folder`; its `codec.json` names the kind.

    Raises:
        DataError: the folder holds no readable `codec.json`.
    """
    path = folder / "codec.json"
    try:
        kind = json.loads(path.read_bytes())["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a codec description ({type(error).__name__}: {error})",
            hint="give the folder of a codec artifact, which the fit stage writes",
        ) from None
    codec = component("codecs", str(kind)).load().load(folder)
    if not (folder / CONDITION).is_file():
        return codec
    return Conditioned(codec, Conditioner.load(folder))


class Conditioned:
    """A row codec whose samples carry a condition."""

    def __init__(self, codec: RowCodec, conditioner: Conditioner) -> None:
        self.codec, self.conditioner = codec, conditioner
        self.representation: Representation = codec.representation
        self.unit = codec.unit

    @property
    def shape(self) -> Shape:
        """The codec's, with the width of the condition."""
        return replace(self.codec.shape, cond_size=self.conditioner.size)

    def encode(self, rows: pa.Table) -> Encoded:
        """What the codec makes of the rows, with their condition; a category that was never seen is unknown."""
        return replace(self.codec.encode(rows), cond=self.conditioner.encode(self.conditioner.seen(rows)))

    def encode_given(self, rows: pa.Table) -> Encoded:
        """What is known of the rows, with their condition."""
        return replace(self.codec.encode_given(rows), cond=self.conditioner.encode(rows))

    def decode(self, encoded: Encoded) -> pa.Table:
        """The codec's samples."""
        return self.codec.decode(encoded)

    def with_keys(self, rows: pa.Table) -> pa.Table:
        """As the codec does it, where it does."""
        return self.codec.with_keys(rows) if hasattr(self.codec, "with_keys") else rows

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """The codec's."""
        return self.codec.units(rows)

    def save(self, folder: Path) -> None:
        """Both, side by side."""
        self.codec.save(folder)
        self.conditioner.save(folder)
