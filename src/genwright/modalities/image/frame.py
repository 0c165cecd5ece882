"""Any picture to one size, one mode and no transparency; unpacked within bounds only."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps

from genwright.core import DataError
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.pixels import Levels, why_unread

MODES: Mapping[str, str] = {"grey": "L", "rgb": "RGB"}
FORMATS = ("PNG", "JPEG")
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L")
_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")


class Frame:
    """The size and mode that all pictures of a source come to; what is left open, the first picture settles."""

    def __init__(self, source: ImageSourceConfig) -> None:
        self._source = source
        sides = source.size
        self._size = (sides, sides) if isinstance(sides, int) else sides
        self._mode = MODES.get(source.mode)

    @property
    def wants_colour(self) -> bool:
        """Whether pictures come out in RGB for sure."""
        return self._mode == "RGB"

    def opened(self, body: bytes, /, *, name: str, hint: str | None = None) -> Levels:
        """The picture of a PNG or JPEG file as (c, h, w); `hint` says what to do where that is not of a source.

        Raises:
            DataError: it cannot be read, claims too many pixels, or has another size.
        """
        try:
            with Image.open(io.BytesIO(body), formats=FORMATS) as picture:
                if picture.width * picture.height > self._source.max_pixels:
                    raise DataError(
                        f"{name} claims {picture.width}x{picture.height} pixels, more than "
                        f"max_pixels = {self._source.max_pixels:,}",
                        hint=hint or "raise max_pixels of this source if you trust the file, or exclude it",
                    )
                return self.fitted(ImageOps.exif_transpose(picture), name=name)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{name} cannot be read as a PNG or JPEG picture ({why_unread(error)})",
                hint=hint or "exclude it, or set on_error = 'drop'",
            ) from None

    def of_array(self, values: NDArray[np.uint8], /, *, name: str) -> Levels:
        """Levels (h, w) or (h, w, 3) as (c, h, w).

        Raises:
            DataError: they have another size.
        """
        return self.fitted(Image.fromarray(np.ascontiguousarray(values)), name=name)

    def fitted(self, picture: Image.Image, /, *, name: str) -> Levels:
        """The picture as (c, h, w) in the size and mode of all.

        Raises:
            DataError: it has another size, and `resize` refuses.
        """
        if self._mode is None:
            self._mode = "L" if picture.mode in _GREY else "RGB"
        plain = self._flat(picture)
        if self._size is None:
            self._size = (plain.height, plain.width)
        wanted = (self._size[1], self._size[0])
        if plain.size != wanted:
            plain = self._resized(plain, wanted, name)
        values = np.asarray(plain)
        return values[None] if values.ndim == 2 else np.ascontiguousarray(np.moveaxis(values, -1, 0))

    def _flat(self, picture: Image.Image) -> Image.Image:
        """Without transparency, in the mode of all; 16 bits lose the lower eight."""
        assert self._mode is not None
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if picture.mode in _TRANSPARENT or "transparency" in picture.info:
            layer = picture.convert("RGBA")
            ground = Image.new("RGBA", layer.size, (*ImageColor.getrgb(self._source.background)[:3], 255))
            picture = Image.alpha_composite(ground, layer)
        return picture.convert(self._mode)

    def _resized(self, picture: Image.Image, wanted: tuple[int, int], name: str) -> Image.Image:
        if self._source.resize == "refuse":
            raise DataError(
                f"{name} has {picture.height}x{picture.width} pixels, the others {wanted[1]}x{wanted[0]}",
                hint="set size and resize = 'letterbox' (or 'stretch') of this source",
            )
        if self._source.resize == "stretch":
            return picture.resize(wanted, Image.Resampling.LANCZOS)
        ground = ImageColor.getcolor(self._source.background, picture.mode)
        return ImageOps.pad(picture, wanted, Image.Resampling.LANCZOS, color=ground)
