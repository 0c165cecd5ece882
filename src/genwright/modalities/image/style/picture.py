"""Pictures of any size in and out: RGB levels (3, h, w)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from genwright.core import DataError, SpecError, StorageError
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.pixels import Levels, encode_png

SHORTEST = 32  # below it the deepest features are of less than two cells


def open_picture(path: Path, /, *, size: int | None = None) -> Levels:
    """The PNG or JPEG file as RGB, scaled so that its longer side has `size` pixels; as it is where that is None.

    Raises:
        DataError: it cannot be read, or a side has fewer than 32 pixels.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", hint="give a PNG or JPEG file") from None
    source = ImageSourceConfig(path=str(path), mode="rgb")
    levels = Frame(source).opened(body, name=str(path), hint="give another PNG or JPEG file")
    if size is not None:
        height, width = levels.shape[1:]
        grown = size / max(height, width)
        levels = resized(levels, (max(1, round(height * grown)), max(1, round(width * grown))))
    return checked(levels, name=str(path))


def checked(levels: Levels, /, *, name: str) -> Levels:
    """The picture, if it is large enough to have a style.

    Raises:
        DataError: a side has fewer than 32 pixels.
    """
    height, width = levels.shape[1:]
    if min(height, width) < SHORTEST:
        raise DataError(
            f"{name} has {height}x{width} pixels; style needs at least {SHORTEST} a side",
            hint="scale it up, for instance with --size 256",
        )
    return levels


def check_name(path: Path, /) -> None:
    """Passes where a PNG file may be called that.

    Raises:
        SpecError: the name does not end in .png, or its folder is not there.
    """
    if path.suffix.lower() != ".png":
        raise SpecError(f"--out {path}: results are PNG files", hint="give it a name that ends in .png")
    if not path.parent.is_dir():
        raise SpecError(f"--out {path}: there is no folder {path.parent}", hint="make it, or write somewhere else")


def save_picture(levels: Levels, path: Path, /) -> None:
    """Writes a PNG file.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.write_bytes(encode_png(levels))
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror})") from None


def resized(levels: Levels, size: tuple[int, int], /) -> Levels:
    """The picture with that height and width, by Lanczos' filter."""
    if levels.shape[1:] == size:
        return levels
    return of_image(to_image(levels).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def cropped(levels: Levels, side: int, /) -> Levels:
    """The middle of the picture as a square of that side; nothing is stretched."""
    return of_image(ImageOps.fit(to_image(levels), (side, side), Image.Resampling.LANCZOS))


def to_image(levels: Levels, /) -> Image.Image:
    """The picture as Pillow holds it; grey becomes RGB."""
    return Image.fromarray(np.moveaxis(np.broadcast_to(levels, (3, *levels.shape[1:])), 0, -1))


def of_image(picture: Image.Image, /) -> Levels:
    """(3, h, w)."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(picture), -1, 0))
