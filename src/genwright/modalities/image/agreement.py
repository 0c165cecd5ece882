"""Whether pictures show what was asked for, by the word of the feature net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.condition import words_of
from genwright.modalities.image.small_net import Task


def classes_told(told: NDArray[np.float32], task: Task, /) -> list[str]:
    """The class of each picture."""
    return [task.names[at] for at in told.argmax(axis=1)]


class Captions:
    """Matches pictures with captions: by the mean, over a caption's known words, of how strongly the net tells them.

    What the net says of a word counts in deviations from what it says of held-out pictures on average, for it
    tells frequent words of everything.
    """

    def __init__(self, task: Task, *, real: NDArray[np.float32], pool: Sequence[str], choices: int, seed: int) -> None:
        self._place = {word: at for at, word in enumerate(task.names)}
        self._centre, self._spread = real.mean(axis=0), real.std(axis=0) + 1e-6
        self._pool = sorted({text for text in pool if self._entries(text)})
        self._choices, self._seed = choices, seed

    @property
    def able(self) -> bool:
        """Whether there are captions enough to choose from."""
        return len(self._pool) >= self._choices

    def hits(self, told: NDArray[np.float32], captions: Sequence[str | None], /) -> list[int | None]:
        """1 where a picture's own caption fits it better than `choices` - 1 others, drawn from the held-out ones.

        None where a caption is missing or has no word that the net knows.
        """
        rng = np.random.default_rng(self._seed)
        strength = (told - self._centre) / self._spread
        out: list[int | None] = []
        for row, text in enumerate(captions):
            others = [self._pool[at] for at in rng.permutation(len(self._pool))[: self._choices]]
            if text is None or not self._entries(text):
                out.append(None)
                continue
            others = [one for one in others if one != text][: self._choices - 1]
            own = self._fit(strength[row], text)
            out.append(int(all(own > self._fit(strength[row], one) for one in others)))
        return out

    def _entries(self, text: str) -> list[int]:
        return [self._place[word] for word in words_of(text) if word in self._place]

    def _fit(self, strength: NDArray[np.float32], text: str) -> float:
        return float(strength[self._entries(text)].mean())
