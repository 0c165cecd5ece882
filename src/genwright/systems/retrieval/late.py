"""Late interaction: a question against a text, token by token. Imports no torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from genwright.nets.encoder.protocol import Encoder, Matrix, TokenVectors

KEPT_TOKENS = 200_000
"""Of so many tokens the vectors are kept: 150 MB at a width of 384."""


@dataclass(frozen=True)
class Matched:
    """How near each token of a question (rows) is to each token of a text (columns)."""

    cosines: Matrix

    @property
    def nearest(self) -> Matrix:
        """Of each token of the question, the cosine with the nearest one of the text; 0 where it has none."""
        return self.cosines.max(axis=1) if self.cosines.size else np.zeros(len(self.cosines), np.float32)

    @property
    def score(self) -> float:
        """The mean over the question's tokens (MaxSim). Source: Khattab and Zaharia, SIGIR 2020, over their number."""
        nearest = self.nearest
        return float(nearest.mean()) if len(nearest) else 0.0


class LateInteraction:
    """Matches questions with texts by an encoder's token vectors, which nobody trained for it.

    A text costs one pass of the encoder; what was matched last is kept. Safe between threads.
    """

    def __init__(self, encoder: Encoder, /, *, kept_tokens: int = KEPT_TOKENS) -> None:
        self._encoder, self._most = encoder, kept_tokens
        self._held: OrderedDict[str, TokenVectors] = OrderedDict()
        self._num_held, self._lock = 0, Lock()

    def match(self, question: str, texts: Sequence[str], /) -> list[Matched]:
        """Each text against the words of the question."""
        words = self._words(question)
        found = self._vectors(texts)
        return [Matched(words @ one.vectors.astype(np.float32).T) for one in found]

    def scores(self, question: str, texts: Sequence[str], /) -> list[float]:
        """The MaxSim of each text."""
        return [match.score for match in self.match(question, texts)]

    def _words(self, question: str) -> Matrix:
        (one,) = self._encoder.tokens([question], role="query")
        words = [any(letter.isalnum() for letter in question[start:end]) for start, end in one.spans]
        return np.asarray(one.vectors[np.array(words, dtype=bool)], dtype=np.float32)

    def _vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        with self._lock:
            found = {text: self._held[text] for text in texts if text in self._held}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        made = self._encoder.tokens(missing) if missing else []
        small = [TokenVectors(one.vectors.astype(np.float16), one.spans) for one in made]
        found |= dict(zip(missing, small, strict=True))
        self._keep({text: found[text] for text in texts})
        return [found[text] for text in texts]

    def _keep(self, used: dict[str, TokenVectors]) -> None:
        with self._lock:
            for text, one in used.items():
                if text not in self._held:
                    self._num_held += len(one.spans)
                self._held[text] = one
                self._held.move_to_end(text)
            while self._num_held > self._most and self._held:
                _, old = self._held.popitem(last=False)
                self._num_held -= len(old.spans)
