"""Extractive answers: the sentences of the found passages that answer best, word for word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.document.document import Block, Document
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.grounded.sentences import Unit, num_words, units
from genwright.systems.grounded.words import content
from genwright.systems.retrieval.passage import Passage

Floats = NDArray[np.float64]
Embed = Callable[..., NDArray[np.float32]]

SIGNALS = (
    "cosine", "cosine_around", "words_found", "words_around", "passage_cosine", "passage_rank", "leads_section",
    "is_code", "words", "has_head",
)  # fmt: skip
UNITS_EMBEDDED = 48
FEWEST_WORDS = 4


@dataclass(frozen=True)
class Candidate:
    """A sentence of a passage that could be shown, and what speaks for it, in the order of `SIGNALS`."""

    source: int
    unit: Unit
    text: str
    signals: tuple[float, ...]


def candidates(
    question: str,
    passages: Sequence[Passage],
    /,
    *,
    documents: Mapping[str, Document],
    blocks: Mapping[str, Sequence[Block]],
    embed: Embed,
    max_words: int,
) -> list[Candidate]:
    """The sentences of the passages that share most words with the question, at most `UNITS_EMBEDDED`.

    `source` is the place of the passage from 1 on. What stands in several passages is there once; signatures and
    openings of lists ("For example:") are left out.
    """
    wanted = content(question)
    found: list[tuple[int, Unit, str, float, float]] = []
    seen: set[str] = set()
    for place, passage in enumerate(passages):
        text = documents[passage.document].text
        around = content(" ".join((passage.title, *passage.path, passage.text)))
        for unit in units(text, blocks[passage.document], start=passage.start, end=passage.end, max_words=max_words):
            shown = text[unit.start : unit.end]
            key = " ".join(shown.split())
            if key in seen or not _says_something(shown, unit):
                continue
            seen.add(key)
            found.append((place, unit, shown, _share(wanted, content(f"{unit.head} {shown}")), _share(wanted, around)))
    found.sort(key=lambda one: (-one[3] + 0.1 * one[0], one[0], one[1].start))
    found = sorted(found[:UNITS_EMBEDDED], key=lambda one: (one[0], one[1].start))
    if not found:
        return []
    texts = [_framed(passages[place], unit, shown) for place, unit, shown, _, _ in found]
    (asked,) = embed([question], role="query")
    cosines = np.asarray(embed(texts) @ asked, dtype=np.float64)
    made = []
    for at, (place, unit, shown, own, around_share) in enumerate(found):
        passage = passages[place]
        near = [cosines[other] for other in (at - 1, at + 1) if 0 <= other < len(found) and found[other][0] == place]
        row = (
            float(cosines[at]), float(max(near, default=cosines[at])), own, around_share, float(passage.cosine or 0.0),
            1.0 / (1 + place), float(unit.start - passage.start < 2 or at == 0 or found[at - 1][0] != place),
            float(unit.kind in ("code", "table")), log(1 + num_words(shown)), float(bool(unit.head)),
        )  # fmt: skip
        made.append(Candidate(place + 1, unit, shown, row))
    return made


def _says_something(shown: str, unit: Unit) -> bool:
    return unit.kind in ("code", "table") or (num_words(shown) >= FEWEST_WORDS and not shown.endswith(":"))


def _framed(passage: Passage, unit: Unit, shown: str) -> str:
    """The sentence with where it stands, for a sentence alone often does not say what it is about."""
    heading = unit.head or (passage.path[-1] if passage.path else passage.title)
    return f"{heading}: {shown}"


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def choose(found: Sequence[Candidate], model: Logistic, /, *, max_words: int, least: float) -> list[Candidate]:
    """The best sentences within `max_words` words, in the order of reading, those of the best source first.

    The best one is always there; others follow while they are worth at least `least` of it.
    """
    if not found:
        return []
    worth = model.probabilities(np.array([one.signals for one in found]))
    order = sorted(range(len(found)), key=lambda at: (-worth[at], at))
    taken: list[int] = []
    left = max_words
    for at in order:
        size = num_words(found[at].text)
        if taken and (worth[at] < least * worth[order[0]] or size > left):
            continue
        taken.append(at)
        left -= size
        if left <= 0:
            break
    best = found[taken[0]].source
    return [found[at] for at in sorted(taken, key=lambda at: (found[at].source != best, found[at].source, at))]
