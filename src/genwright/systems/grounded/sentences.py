"""Passages as sentences, each with its exact span: what an extractive answer is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from genwright.modalities.document.document import Block

# A full stop ends a sentence where a space and a new beginning follow, and no abbreviation stands before it.
END = re.compile(r"[.!?][\"')\]`*]*(?=\s+[\"'(\[`*:]*[A-Z0-9_`])")
ABBREVIATIONS = frozenset(
    {"e.g", "i.e", "etc", "vs", "cf", "al", "fig", "sec", "ch", "dr", "mr", "mrs", "pp", "approx"}
)
ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\(?\d{1,3}[.)]|#\.)[ \t]+", re.MULTILINE)
CLAUSE = re.compile(r"(?:;|:|,|\s[-\u2013\u2014]{1,3})\s+")
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Unit:
    """text[start:end] of a document that can be shown by itself. `head` is the definition that it describes."""

    start: int
    end: int
    kind: str
    head: str = ""


def units(text: str, blocks: Sequence[Block], /, *, start: int, end: int, max_words: int) -> list[Unit]:
    """What the document has from `start` to `end`: its sentences and its code, no headings.

    Sentences of more than `max_words` words are cut where a clause ends, else after that many words.
    """
    found: list[Unit] = []
    for block in blocks:
        low, high = max(block.start, start), min(block.end, end)
        if low < high and block.kind != "heading":
            found += _of_block(text, block, low, high, max_words)
    return found


def _of_block(text: str, block: Block, low: int, high: int, max_words: int) -> Iterator[Unit]:
    whole = block.kind in ("code", "table")
    for start, end in [(low, high)] if whole else sentences(text, low, high):
        for first, last in pieces(text, start, end, max_words):
            yield Unit(first, last, block.kind, block.head)


def sentences(text: str, start: int, end: int, /) -> list[tuple[int, int]]:
    """The spans of the sentences, and of the items of lists, between two places; blanks at their ends left out."""
    part = text[start:end]
    cuts = {0, len(part)} | {item.start() for item in ITEM.finditer(part)}
    cuts |= {mark.end() for mark in END.finditer(part) if not _abbreviated(part, mark.start())}
    cuts |= {gap.end() for gap in re.finditer(r"\n[ \t]*\n", part)}
    ordered = sorted(cuts)
    spans = (_bare(part, low, high) for low, high in pairwise(ordered))
    return [(start + low, start + high) for low, high in spans if low < high]


def _abbreviated(part: str, at: int) -> bool:
    if part[at] != ".":
        return False
    before = re.search(r"[\w.]*$", part[max(0, at - 12) : at])
    word = before.group(0).lower() if before else ""
    return word in ABBREVIATIONS or bool(re.fullmatch(r"[a-z]", word))


def _bare(part: str, low: int, high: int) -> tuple[int, int]:
    """The span without blanks around it and without the mark of a list's item."""
    marked = ITEM.match(part, low)
    if marked and marked.end() < high:
        low = marked.end()
    while low < high and part[low].isspace():
        low += 1
    while low < high and part[high - 1].isspace():
        high -= 1
    return low, high


def pieces(text: str, start: int, end: int, max_words: int, /) -> Iterator[tuple[int, int]]:
    """The span itself, or where it has too many words its clauses joined up to that many."""
    words = list(WORD.finditer(text, start, end))
    if len(words) <= max_words:
        yield start, end
        return
    ends = {mark.start() + len(mark.group(0).rstrip()) for mark in CLAUSE.finditer(text, start, end)}
    first = 0
    while first < len(words):
        last = min(first + max_words, len(words)) - 1
        at = next((place for place in range(last, first + max_words // 3, -1) if words[place].end() in ends), last)
        at = last if last == len(words) - 1 else at
        yield words[first].start(), words[at].end()
        first = at + 1


def num_words(text: str, /) -> int:
    """Words as a reader counts them."""
    return len(WORD.findall(text))
