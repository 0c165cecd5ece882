"""Extractive answers: the sentences of the found passages that answer best, word for word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.document.document import Block, Document
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.grounded.sentences import Unit, num_words, units
from genwright.systems.grounded.support import names_in
from genwright.systems.grounded.words import content
from genwright.systems.retrieval.index import Reranker
from genwright.systems.retrieval.passage import Passage

Floats = NDArray[np.float64]
Embed = Callable[..., NDArray[np.float32]]

SIGNALS = (
    "cosine", "cosine_around", "words_found", "words_around", "passage_cosine", "passage_rank", "leads_section",
    "is_code", "words", "has_head", "rare_words", "words_in_heading", "new_names", "name_asked", "passage_score",
    "passage_matched", "passage_reranked", "reranked",
)  # fmt: skip
LEFT_OUT = ("words_found", "passage_cosine", "passage_rank")
"""What sentences were chosen by once and are not any more: systems that were made so still are."""
CHOSEN_BY = tuple(name for name in SIGNALS if name not in LEFT_OUT)
ASKS_NAME = re.compile(
    r"\s*(?:which|where|how (?:do|can|should|would) (?:i|you|we|one)|what (?:do|can|should) i|what is the name)\b",
    re.IGNORECASE,
)
UNITS_EMBEDDED = 48
UNITS_RERANKED = 24
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
    rerank: Reranker | None = None,
) -> list[Candidate]:
    """The sentences of the passages that share most words with the question, at most `UNITS_EMBEDDED`.

    `source` is the place of the passage from 1 on. What stands in several passages is there once; signatures and
    openings of lists ("For example:") are left out. `rerank` reads the `UNITS_RERANKED` that are nearest by cosine.
    """
    wanted = content(question)
    found: list[_Found] = []
    seen: set[str] = set()
    for place, passage in enumerate(passages):
        text = documents[passage.document].text
        around = content(passage.whole)
        for unit in units(text, blocks[passage.document], start=passage.start, end=passage.end, max_words=max_words):
            shown = text[unit.start : unit.end]
            key = " ".join(shown.split())
            if key in seen or not _says_something(shown, unit):
                continue
            seen.add(key)
            held = content(f"{unit.head} {shown}")
            found.append(_Found(place, unit, shown, held, _share(wanted, held), _share(wanted, around)))
    found.sort(key=lambda one: (-one.own + 0.1 * one.place, one.place, one.unit.start))
    found = sorted(found[:UNITS_EMBEDDED], key=lambda one: (one.place, one.unit.start))
    if not found:
        return []
    texts = [_framed(passages[one.place], one.unit, one.shown) for one in found]
    (asked,) = embed([question], role="query")
    cosines = np.asarray(embed(texts) @ asked, dtype=np.float64)
    columns = {
        **_by_sentence(question, found, passages, cosines),
        **_by_passage(wanted, found, passages),
        "reranked": _reranked(question, texts, cosines, rerank),
    }
    rows = np.stack([columns[name] for name in SIGNALS], axis=1)
    return [
        Candidate(one.place + 1, one.unit, one.shown, tuple(row)) for one, row in zip(found, rows.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Found:
    """A sentence of the passage at `place`, its terms, and the share of the question's that it and its passage have."""

    place: int
    unit: Unit
    shown: str
    held: frozenset[str]
    own: float
    around: float


def _by_sentence(
    question: str, found: Sequence[_Found], passages: Sequence[Passage], cosines: Floats
) -> dict[str, Floats]:
    """What a sentence says by itself and beside its neighbours. A term that few sentences have counts for more."""
    wanted, named = content(question), names_in(question)
    times = Counter(term for one in found for term in one.held & wanted)
    rare = {term: log((len(found) + 1) / (times[term] + 0.5)) for term in wanted}
    total = sum(rare.values()) or 1.0
    asks = float(bool(ASKS_NAME.match(question)))
    new = [len(names_in(one.shown) - named) for one in found]
    near = []
    for at, one in enumerate(found):
        beside = [k for k in (at - 1, at + 1) if 0 <= k < len(found) and found[k].place == one.place]
        near.append(max((cosines[k] for k in beside), default=cosines[at]))
    leads = [
        one.unit.start - passages[one.place].start < 2 or at == 0 or found[at - 1].place != one.place
        for at, one in enumerate(found)
    ]
    return _columns(
        cosine=cosines, cosine_around=near, words_found=[one.own for one in found], leads_section=leads,
        is_code=[one.unit.kind in ("code", "table") for one in found],
        words=[log(1 + num_words(one.shown)) for one in found], has_head=[bool(one.unit.head) for one in found],
        rare_words=[sum(rare[term] for term in one.held & wanted) / total for one in found],
        new_names=[log(1 + count) for count in new], name_asked=[asks * (count > 0) for count in new],
    )  # fmt: skip


def _by_passage(wanted: frozenset[str], found: Sequence[_Found], passages: Sequence[Passage]) -> dict[str, Floats]:
    """What is known of the passage that a sentence stands in; scores are less those of the best passage."""
    headings = [_share(wanted, content(one.heading)) for one in passages]
    per_passage = _columns(
        passage_cosine=[one.cosine or 0.0 for one in passages], words_in_heading=headings,
        passage_rank=[1.0 / (1 + place) for place in range(len(passages))],
        passage_score=_less_best([one.score for one in passages]),
        passage_matched=_less_best([one.matched for one in passages]),
        passage_reranked=_less_best([one.reranked for one in passages]),
    )  # fmt: skip
    places = [one.place for one in found]
    return {name: column[places] for name, column in per_passage.items()} | _columns(
        words_around=[one.around for one in found]
    )


def _reranked(question: str, texts: Sequence[str], cosines: Floats, rerank: Reranker | None) -> Floats:
    """What the reranker says of the nearest sentences, less the best; others have the least of it."""
    values = np.zeros(len(texts))
    if rerank is None:
        return values
    read = np.argsort(-cosines, kind="stable")[:UNITS_RERANKED]
    said = np.asarray(rerank(question, [texts[at] for at in read]), dtype=np.float64)
    values[:] = said.min()
    values[read] = said
    return np.asarray(values - said.max())


def _less_best(values: Sequence[float | None]) -> list[float]:
    """Differences from the best; what has no value has the least."""
    known = [value for value in values if value is not None]
    least, best = min(known, default=0.0), max(known, default=0.0)
    return [(least if value is None else value) - best for value in values]


def _columns(**values: Sequence[float] | Floats) -> dict[str, Floats]:
    return {name: np.asarray(column, dtype=np.float64) for name, column in values.items()}


def _says_something(shown: str, unit: Unit) -> bool:
    return unit.kind in ("code", "table") or (num_words(shown) >= FEWEST_WORDS and not shown.endswith(":"))


def _framed(passage: Passage, unit: Unit, shown: str) -> str:
    """The sentence with where it stands, for a sentence alone often does not say what it is about."""
    heading = unit.head or (passage.path[-1] if passage.path else passage.title)
    return f"{heading}: {shown}"


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def chosen_by(found: Candidate, names: Sequence[str] = CHOSEN_BY, /) -> list[float]:
    """The signals of those names."""
    values = dict(zip(SIGNALS, found.signals, strict=True))
    return [values[name] for name in names]


def choose(found: Sequence[Candidate], model: Logistic, /, *, max_words: int, least: float) -> list[Candidate]:
    """The best sentences within `max_words` words, in the order of reading, those of the best source first.

    The best one is always there; others follow while they are worth at least `least` of it.
    """
    if not found:
        return []
    worth = model.probabilities(np.array([chosen_by(one, model.signals) for one in found]))
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
