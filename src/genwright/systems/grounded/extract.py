"""Extractive answers: the sentences of the found passages that answer best, word for word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.document.document import Block, Document
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.grounded.sentences import Unit, num_words, units
from genwright.systems.grounded.words import content
from genwright.systems.retrieval.late import LateInteraction
from genwright.systems.retrieval.passage import Passage

Floats = NDArray[np.float64]

SIGNALS = (
    "matched", "cosine", "words_found", "words_in_place", "passage_matched", "passage_behind", "passage_rank", "words",
    "is_code",
)  # fmt: skip
FEWEST_WORDS = 3
FEWEST_LETTERED = 3
LETTERED = re.compile(r"[^\W\d_]{2,}")


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
    late: LateInteraction,
    max_words: int,
) -> list[Candidate]:
    """The sentences of the passages, with what speaks for each.

    `source` is the place of the passage from 1 on. What stands in several passages is there once; openings of lists
    ("For example:") and what has no words (rules of tables) are left out.
    """
    if not passages:
        return []
    matches = late.match(question, [(one.header, one.text) for one in passages])
    asked = content(question)
    seen: set[str] = set()
    found: list[Candidate] = []
    for place, (passage, match) in enumerate(zip(passages, matches, strict=True)):
        text = documents[passage.document].text
        parts = units(text, blocks[passage.document], start=passage.start, end=passage.end, max_words=max_words)
        kept = [part for part in parts if _is_new(text[part.start : part.end], part, seen)]
        for part in kept:
            shown = text[part.start : part.end]
            within = match.within(part.start - passage.start, part.end - passage.start)
            where = content(" ".join((passage.title, *passage.path, part.head, shown)))
            row = (
                within.score, within.cosine, _share(asked, content(shown)), _share(asked, where), match.score,
                passage.score - passages[0].score, 1.0 / (1 + place), log(1 + num_words(shown)),
                float(part.kind in ("code", "table")),
            )  # fmt: skip
            found.append(Candidate(place + 1, part, shown, row))
    return found


def _is_new(shown: str, unit: Unit, seen: set[str]) -> bool:
    """Whether it says something that was not said before, which `seen` then holds."""
    key = " ".join(shown.split())
    says = len(LETTERED.findall(shown)) >= FEWEST_LETTERED and num_words(shown) >= FEWEST_WORDS
    if key in seen or not ((says and not shown.endswith(":")) or unit.kind == "code"):
        return False
    seen.add(key)
    return True


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def choose(found: Sequence[Candidate], model: Logistic, /, *, max_words: int, least: float) -> list[Candidate]:
    """The best sentences within `max_words` words, in the order of reading, those of the best source first.

    The best one is always there; others follow while they are at least `least` times as likely the one that answers.
    """
    if not found:
        return []
    logits = model.logits(np.array([one.signals for one in found]))
    worth = np.exp(logits - logits.max())
    order = sorted(range(len(found)), key=lambda at: (-worth[at], at))
    taken: list[int] = []
    left = max_words
    for at in order:
        size = num_words(found[at].text)
        if taken and (worth[at] < least or size > left):
            continue
        taken.append(at)
        left -= size
        if left <= 0:
            break
    best = found[taken[0]].source
    return [found[at] for at in sorted(taken, key=lambda at: (found[at].source != best, found[at].source, at))]
