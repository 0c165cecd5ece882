"""Colour emoji out of a font with bitmaps (the tables CBLC and CBDT), captioned by their Unicode names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.shot import Shot, or_unreadable

KEPT = ("So", "Sm")  # symbols: not the digits and marks that keycaps and flags are put together of


def read_emoji(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per symbol of one code point that has a bitmap and a name. Names are those that this Python knows.

    Raises:
        DataError: a font cannot be read or has no colour bitmaps.
    """
    for file in files:
        for code, glyph in sorted(_bitmaps(file).items()):
            symbol = chr(code)
            caption = unicodedata.name(symbol, "").lower()
            if not caption or unicodedata.category(symbol) not in KEPT:
                continue
            name = f"U+{code:04X}"

            def read(glyph: Any = glyph, name: str = name, caption: str = caption) -> Shot:
                return Shot(name, name, frame.opened(glyph.imageData, name=name), {"caption": caption})

            yield from or_unreadable(name, source, read)


def _bitmaps(file: SourceFile) -> dict[int, Any]:
    """The bitmap of each code point, of the first size that the font has."""
    try:
        font = TTFont(file.path, lazy=True)
        glyphs = font["CBDT"].strikeData[0]
        return {code: glyphs[name] for code, name in font.getBestCmap().items() if name in glyphs}
    except (TTLibError, KeyError, IndexError, OSError, AssertionError) as error:
        raise DataError(
            f"{file.path} cannot be read as a font with colour bitmaps ({error})",
            hint="fonts with the table CBDT are read, such as Noto Color Emoji",
        ) from None
