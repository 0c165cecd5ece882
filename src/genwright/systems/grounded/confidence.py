"""How likely the documents answer a question at all, by how the search went."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genwright.systems.grounded.extract import SIGNALS as OF_SENTENCES
from genwright.systems.grounded.extract import Candidate
from genwright.systems.grounded.words import content
from genwright.systems.retrieval.passage import Retrieved

Floats = NDArray[np.float64]

SIGNALS = ("best_cosine", "bm25_per_word", "words_found", "together", "words_in_heading", "sentence_cosine")
READ = 3
COSINE = OF_SENTENCES.index("cosine")


def signals(retrieved: Retrieved, found: Sequence[Candidate], /) -> Floats:
    """What tells whether the answer is among the passages, in the order of `SIGNALS`.

    `words_found` is the largest share of the question's words in one of the first passages, `together` the largest
    product of that share and the cosine: a passage that has the words and the meaning.
    """
    wanted = content(retrieved.query)
    size = max(len(wanted), 1)
    shares = [len(wanted & content(one.whole)) / size for one in retrieved.passages]
    best = retrieved.passages[0] if retrieved.passages else None
    heading = content(best.heading) if best else frozenset()
    both = (share * (one.cosine or 0.0) for share, one in zip(shares, retrieved.passages, strict=True))
    return np.array(
        [
            retrieved.best_cosine,
            retrieved.best_bm25 / size,
            max(shares[:READ], default=0.0),
            max(both, default=0.0),
            len(wanted & heading) / size,
            max((one.signals[COSINE] for one in found), default=0.0),
        ],
        dtype=np.float64,
    )
