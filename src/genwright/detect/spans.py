"""Found pieces of a text, and their replacement by typed placeholders."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """A piece of a text: `text[start:end]`, and what it is."""

    start: int
    end: int
    kind: str


def without_overlaps(spans: Iterable[Span], /) -> list[Span]:
    """The spans in order; of two that overlap the one that starts first, and of those the longest, stays."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.kind)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def replace_spans(text: str, spans: Iterable[Span], /) -> tuple[str, dict[str, int]]:
    """The text with each span (in order, no overlaps) replaced by `<KIND>`, and the count per kind, sorted by kind."""
    pieces, at, counts = [], 0, Counter[str]()
    for span in spans:
        pieces += [text[at : span.start], f"<{span.kind}>"]
        at = span.end
        counts[span.kind] += 1
    return "".join([*pieces, text[at:]]), dict(sorted(counts.items()))
