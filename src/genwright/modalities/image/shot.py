"""What every reader of pictures gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.pixels import Levels


@dataclass(frozen=True)
class Shot:
    """A picture (c, h, w) with its other columns; all of a source have the same ones."""

    id: str
    group: str
    levels: Levels
    others: Mapping[str, Any] = field(default_factory=dict)


def or_unreadable(name: str, source: ImageSourceConfig, read: Callable[[], Shot], /) -> Iterator[Shot | Unreadable]:
    """The picture, or why there is none where the source drops what cannot be read.

    Raises:
        DataError: there is none, and the source stops there.
    """
    try:
        yield read()
    except DataError as error:
        if source.on_error == "fail":
            raise
        yield Unreadable(name, "unreadable", error.message)
