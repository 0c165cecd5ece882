"""Passages that follow each other in a document, shown as one. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.passage import Passage


def joined(
    passages: Sequence[Passage], config: SearchConfig, /, *, read: Callable[[str, int, int], str]
) -> list[Passage]:
    """The passages, of which neighbours among the first `config.join_depth` are one, in the place of the better.

    Chunks are cut to be found; what answers is often cut apart by it. `read` gives a document's text from a start to an
    end: only white space may lie between neighbours.
    """
    found: list[Passage] = []
    first = passages[: config.join_depth] if config.join_characters else ()
    for passage in first:
        _take(found, passage, config.join_characters, read)
    return [*found, *passages[len(first) :]]


def _take(found: list[Passage], passage: Passage, most: int, read: Callable[[str, int, int], str]) -> None:
    """Puts the passage where it belongs; what it stood between becomes one, too."""
    at = next((at for at, better in enumerate(found) if _meet(better, passage, most, read)), None)
    if at is None:
        found.append(passage)
        return
    found[at] = _both(found[at], passage, read)
    for later in reversed(range(at + 1, len(found))):
        if _meet(found[at], found[later], most, read):
            found[at] = _both(found[at], found.pop(later), read)


def _meet(one: Passage, other: Passage, most: int, read: Callable[[str, int, int], str]) -> bool:
    if (one.document, one.section) != (other.document, other.section):
        return False
    before, after = sorted((one, other), key=lambda passage: passage.start)
    if not before.end <= after.start or after.end - before.start > most:
        return False
    return not read(one.document, before.end, after.start).strip()


def _both(better: Passage, other: Passage, read: Callable[[str, int, int], str]) -> Passage:
    start, end = min(better.start, other.start), max(better.end, other.end)
    flags = tuple(dict.fromkeys((*better.flags, *other.flags)))
    return replace(better, start=start, end=end, text=read(better.document, start, end), flags=flags)
