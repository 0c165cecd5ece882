"""How likely the documents answer a question at all, by how the search went."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genwright.systems.grounded.extract import Candidate
from genwright.systems.grounded.words import content
from genwright.systems.retrieval.passage import Retrieved

Floats = NDArray[np.float64]

SIGNALS = (
    "best_cosine", "cosine_lead", "bm25_per_word", "words_found", "words_in_heading", "sentence_cosine",
    "sentence_words", "engines_agree",
)  # fmt: skip


def signals(retrieved: Retrieved, found: Sequence[Candidate], /) -> Floats:
    """What tells whether the answer is among the passages, in the order of `SIGNALS`."""
    wanted = content(retrieved.query)
    passages = retrieved.passages
    cosines = sorted((one.cosine for one in passages if one.cosine is not None), reverse=True)
    lead = cosines[0] - cosines[min(4, len(cosines) - 1)] if cosines else 0.0
    best = passages[0] if passages else None
    top = [content(" ".join((one.title, *one.path, one.text))) for one in passages[:3]]
    heading = content(" ".join((best.title, *best.path))) if best else frozenset()
    size = max(len(wanted), 1)
    by_words = max(passages, key=lambda one: one.bm25 or 0.0, default=None)
    by_meaning = max(passages, key=lambda one: one.cosine or 0.0, default=None)
    agree = by_words is not None and by_meaning is not None and by_words.section == by_meaning.section
    same = agree and by_words is not None and by_meaning is not None and by_words.document == by_meaning.document
    return np.array(
        [
            retrieved.best_cosine,
            lead,
            retrieved.best_bm25 / size,
            max((len(wanted & held) / size for held in top), default=0.0),
            len(wanted & heading) / size,
            max((one.signals[0] for one in found), default=0.0),
            max((one.signals[2] for one in found), default=0.0),
            float(same),
        ],
        dtype=np.float64,
    )
