"""The headings above a place in a document, kept while it is read from front to back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from genwright.modalities.document.document import Block, BlockKind

_MARKS = (
    (re.compile(r":[\w:+.-]+:`!?~?([^`<]+?)(?:\s*<[^`>]*>)?`"), r"\1"),  # :mod:`os`, :ref:`words <target>`
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),  # `words <address>`_
    (re.compile(r"`+([^`]+)`+_{0,2}"), r"\1"),
    (re.compile(r"(?<![\w*])\*{1,3}([^\s*](?:[^*]*[^\s*])?)\*{1,3}(?![\w*])"), r"\1"),
)


@dataclass
class Outline:
    """Blocks so far, and the headings that the next one stands under."""

    blocks: list[Block] = field(default_factory=list)
    _above: list[tuple[int, str]] = field(default_factory=list)
    _section: int = 0

    def heading(self, title: str, *, level: int, start: int, end: int) -> None:
        """Opens a section; its own heading stands under the headings above it."""
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        self._section = start
        self.add("heading", start, end)
        self._above.append((level, plain_words(title)))

    def add(self, kind: BlockKind, start: int, end: int, *, head: str = "") -> None:
        """The next block, in the section that is open."""
        path = tuple(title for _, title in self._above)
        self.blocks.append(Block(kind, start, end, path, self._section, head))


def plain_words(text: str, /) -> str:
    """One line without the marks of roles, links, code and emphasis.

    >>> plain_words(":mod:`os` --- *Miscellaneous*  interfaces")
    'os --- Miscellaneous interfaces'
    """
    for mark, words in _MARKS:
        text = mark.sub(words, text)
    return " ".join(text.split())
