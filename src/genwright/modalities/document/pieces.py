"""A block that does not fit, cut where it hurts least."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from genwright.modalities.document.document import BlockKind

Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]*\S[^\r\n]*")
_CLOSING = "\"')]\u201d\u2019"
# Sentences end at . ! ? before a capital or a digit; items and paragraphs begin on lines of their own.
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018*`]*[A-Z0-9])|\n\s*\n|\n(?=\s*(?:[-*+•]|(?:\d{1,3}|#)[.)])\s)"
)
_STRETCH = 1 << 16
_WORD = re.compile(r"\S+")


def pieces_of(text: str, span: Span, /, *, kind: BlockKind, fits: Callable[[Span], bool]) -> Iterator[Span]:
    """Spans of a block in their order, each of which fits, together all that is not white space.

    Code and tables end at lines, all else at sentences; what is still too long is cut between words, then anywhere.
    """
    cuts = (_lines, _words) if kind in ("code", "table") else (_sentences, _lines, _words)
    yield from _fitting(text, span, cuts, fits)


def sentences(text: str, span: Span, /) -> list[Span]:
    """The sentences of a stretch of text: no white space around them, and nothing else left out."""
    return list(_sentences(text, span))


def _fitting(
    text: str, span: Span, cuts: tuple[Callable[[str, Span], Iterator[Span]], ...], fits: Callable[[Span], bool]
) -> Iterator[Span]:
    if not cuts:
        for start in range(*span, _STRETCH):
            yield from _filled([(at, at + 1) for at in range(start, min(start + _STRETCH, span[1]))], fits)
        return
    ready: list[Span] = []
    for piece in cuts[0](text, span):
        if fits(piece):
            ready.append(piece)
            continue
        yield from _kept(cuts, ready, fits)
        ready = []
        yield from _fitting(text, piece, cuts[1:], fits)
    yield from _kept(cuts, ready, fits)


def _kept(cuts: tuple[object, ...], ready: list[Span], fits: Callable[[Span], bool]) -> Iterator[Span]:
    """Sentences and lines stay apart, for the caller joins them; words are put together to the full."""
    yield from ready if cuts[0] is not _words else _filled(ready, fits)


def _filled(ready: list[Span], fits: Callable[[Span], bool]) -> Iterator[Span]:
    """As many as fit together each time, found by doubling and halving: a line may have millions."""
    at = 0
    while at < len(ready):
        left, high = len(ready) - at, 2
        while high < left and fits((ready[at][0], ready[at + high - 1][1])):
            high *= 2
        low, high = 1, min(high, left)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits((ready[at][0], ready[at + middle - 1][1])) else (low, middle - 1)
        yield ready[at][0], ready[at + low - 1][1]
        at += low


def _lines(text: str, span: Span) -> Iterator[Span]:
    for found in _LINE.finditer(text, *span):
        yield found.start(), found.start() + len(found[0].rstrip())


def _words(text: str, span: Span) -> Iterator[Span]:
    return (found.span() for found in _WORD.finditer(text, *span))


def _sentences(text: str, span: Span) -> Iterator[Span]:
    at = span[0]
    for found in [*_SENTENCE_END.finditer(text, *span), None]:
        start, stop = at, found.start() if found else span[1]
        if found:
            stop += len(found[0]) - len(found[0].lstrip(_CLOSING))
            at = found.end()
        body = text[start:stop]
        if body.strip():
            yield start + len(body) - len(body.lstrip()), start + len(body.rstrip())
