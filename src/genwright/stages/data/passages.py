"""Passages that an earlier document already has."""

import re
from dataclasses import dataclass
from hashlib import blake2b

_BETWEEN = re.compile(r"(\n(?:[ \t]*\n)+)")


@dataclass(frozen=True)
class Repeat:
    """A passage taken out of a document, and the place in the order of documents that had it first."""

    text: str
    first: int


class Passages:
    """Remembers the passages of all documents so far: 8 bytes of digest each, not the text."""

    def __init__(self, *, min_characters: int) -> None:
        self._min_characters = min_characters
        self._first: dict[bytes, int] = {}

    def take_out(self, text: str, /, *, index: int) -> tuple[str, list[Repeat]]:
        """The text without passages of earlier documents, and those passages. Blanks do not count in comparing."""
        kept: list[str] = []
        repeats: list[Repeat] = []
        pieces = _BETWEEN.split(text)
        for passage, gap in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
            first = self._seen(passage, index)
            if first is None or first == index:
                kept += [passage, gap]
            else:
                repeats.append(Repeat(passage, first))
        return ("".join(kept).rstrip() + "\n" if repeats else text), repeats

    def _seen(self, passage: str, index: int) -> int | None:
        words = " ".join(passage.split())
        if len(words) < self._min_characters:
            return None
        key = blake2b(words.encode(), digest_size=8).digest()
        return self._first.setdefault(key, index)
