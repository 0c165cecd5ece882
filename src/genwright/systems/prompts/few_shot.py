"""Few-shot: solved examples before the question, the same for all or those that are most like it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import log, sqrt
from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat

WORD = re.compile(r"[A-Za-z]+|\d+")


class FewShotConfig(PatternConfig):
    """`num_shots` solved examples, as turns of the chat, the last one nearest to the question.

    `examples = "fixed"` shows the first of the pool to every question, `"selected"` those of the pool of
    `pool` examples whose words are most like the question's (cosine of TF-IDF).
    """

    kind: Literal["few-shot"] = "few-shot"
    num_shots: int = Field(default=3, ge=1, le=64)
    examples: Literal["fixed", "selected"] = "fixed"
    pool: int = Field(default=200, ge=1, le=10_000)
    shots_tried: tuple[int, ...] = ()

    @property
    def num_examples(self) -> int:
        """The shots, or the pool that they are selected from."""
        return self.num_shots if self.examples == "fixed" else max(self.pool, self.num_shots)

    def searched(self) -> tuple[Self, ...]:
        """One for each number of shots in `shots_tried`."""
        return tuple(
            self.model_copy(update={"num_shots": num, "shots_tried": ()})
            for num in self.shots_tried or (self.num_shots,)
        )


class FewShot(Pattern[FewShotConfig]):
    """One call, with examples."""

    def turns(self, chat: Chat, /) -> Turns:
        """One call."""
        asked = self.asked(chat)
        opening = len(self.opening())
        shown = [turn for example in self._chosen(chat[-1][1]) for turn in self._shown(example)]
        (text,) = yield Call((*asked[:opening], *shown, *asked[opening:]), stop=self.config.stop, last=True)
        return text

    def _shown(self, example: Chat) -> Chat:
        *question, answer = example
        return (*self.asked(tuple(question))[len(self.opening()) :], answer)

    def _chosen(self, said: str) -> list[Chat]:
        num = self.config.num_shots
        if self.config.examples == "fixed":
            return list(self.examples[:num])
        likeness = self._index.likeness(said)
        order = sorted(range(len(self.examples)), key=lambda place: (-likeness[place], place))[:num]
        return [self.examples[place] for place in reversed(order)]

    @cached_property
    def _index(self) -> _Words:
        return _Words([example[-2][1] for example in self.examples])


class _Words:
    """Texts as TF-IDF vectors of their words, each of length 1."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(WORD.findall(text.lower())) for text in texts]
        self._rarity = {
            word: 1.0 + log((1 + len(texts)) / (1 + num))
            for word, num in Counter(word for one in counts for word in one).items()
        }
        self._vectors = [self._vector(one) for one in counts]

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        found = {word: num * self._rarity[word] for word, num in counts.items() if word in self._rarity}
        length = sqrt(sum(value * value for value in found.values())) or 1.0
        return {word: value / length for word, value in found.items()}

    def likeness(self, text: str) -> list[float]:
        """The cosine of a text with each."""
        asked = self._vector(Counter(WORD.findall(text.lower())))
        return [sum(value * one.get(word, 0.0) for word, value in asked.items()) for one in self._vectors]


FEW_SHOT = Component("few-shot", FewShotConfig, "genwright.systems.prompts.few_shot:FewShot")
