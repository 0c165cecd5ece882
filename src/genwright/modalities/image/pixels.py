"""Columns of PNG bytes and arrays of levels, one into the other. Everything here is 8 bit, grey or RGB, of one size."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from genwright.core import DataError

IMAGE = "image"
Levels = NDArray[np.uint8]


def encode_png(levels: Levels, /) -> bytes:
    """A picture (c, h, w) of 1 or 3 channels as PNG bytes, without any metadata."""
    body = io.BytesIO()
    Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1)).save(body, "PNG")
    return body.getvalue()


def decode_png(body: bytes, /) -> Levels:
    """The picture as (c, h, w).

    Raises:
        ValueError: it is no whole PNG of 8 bits, grey or RGB.
    """
    try:
        with Image.open(io.BytesIO(body), formats=("PNG",)) as picture:
            if picture.mode not in ("L", "RGB"):
                raise ValueError(f"mode {picture.mode}")
            values = np.asarray(picture)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
    return values[None] if values.ndim == 2 else np.ascontiguousarray(np.moveaxis(values, -1, 0))


def pictures_of(values: Iterable[Levels], /) -> pa.Array:
    """A column of pictures (c, h, w) each."""
    return pa.array([encode_png(one) for one in values], pa.binary())


def pixels_of(rows: pa.Table, /) -> Levels:
    """The pictures of a table as (n, c, h, w).

    Raises:
        DataError: there is no column `image`, a cell holds no picture, or two have different sizes.
    """
    if IMAGE not in rows.column_names:
        raise DataError(f"there is no column '{IMAGE}' (there are: {', '.join(rows.column_names) or 'none'})")
    found: list[Levels] = []
    for at, body in enumerate(rows.column(IMAGE).to_pylist()):
        try:
            found.append(decode_png(body))
        except (ValueError, TypeError) as error:
            raise DataError(f"column '{IMAGE}', row {at} is no PNG of 8 bits, grey or RGB ({error})") from None
        if found[-1].shape != found[0].shape:
            raise DataError(
                f"column '{IMAGE}' holds pictures of {size_name(found[0].shape)} and of {size_name(found[-1].shape)}",
                hint="set size and mode of every source in data.sources alike, and resize",
            )
    return np.stack(found) if found else np.zeros((0, 1, 1, 1), dtype=np.uint8)


def why_unread(error: Exception, /) -> str:
    """What Pillow said of a file, in words that mean something outside of it.

    >>> why_unread(OSError("image file is truncated"))
    'image file is truncated'
    """
    return "its bytes begin like none" if isinstance(error, UnidentifiedImageError) else str(error)


def size_name(shape: tuple[int, ...], /) -> str:
    """A picture's size in words.

    >>> size_name((3, 28, 32))
    '28x32 rgb'
    """
    return f"{shape[1]}x{shape[2]} {'grey' if shape[0] == 1 else 'rgb'}"
