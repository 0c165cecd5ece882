"""Chain of thought, and self-consistency: several chains, and the answer that most of them reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from genwright.core import Component
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat

WORD = re.compile(r"\w+")


class ChainOfThoughtConfig(PatternConfig):
    """The model thinks first; the answer is what stands behind the last `marker` (the last line where there is none).

    Source: Wei et al. 2022, arXiv:2201.11903; without examples Kojima et al. 2022, arXiv:2205.11916.
    """

    kind: Literal["chain-of-thought"] = "chain-of-thought"
    template: str = (
        "{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}\n\n"
        "Think step by step. Then write the answer alone on a last line that begins with '{{ marker }}'."
    )
    marker: str = Field(default="Answer:", min_length=1)


class SelfConsistencyConfig(ChainOfThoughtConfig):
    """`num_chains` chains drawn at `temperature`; where no two agree, the answer that shares most words with the rest.

    Source: Wang et al. 2023, arXiv:2203.11171.
    """

    kind: Literal["self-consistency"] = "self-consistency"  # type: ignore[assignment]
    num_chains: int = Field(default=5, ge=2, le=100)
    temperature: float = Field(default=0.7, gt=0.0, le=10.0)


class ChainOfThought(Pattern[ChainOfThoughtConfig]):
    """One call; what stands before the answer is dropped."""

    def turns(self, chat: Chat, /) -> Turns:
        """One call."""
        (text,) = yield self.call(chat)
        return self.answer(text)

    def call(self, chat: Chat, /) -> Call:
        """The question, with what asks for thoughts."""
        return Call(self.asked(chat, marker=self.config.marker), stop=self.config.stop)

    def answer(self, text: str, /) -> str:
        """The answer at the end of a chain."""
        _, found, tail = text.rpartition(self.config.marker)
        lines = [line.strip() for line in (tail if found else text).splitlines() if line.strip()]
        return "" if not lines else lines[0] if found else lines[-1]


class SelfConsistency(ChainOfThought):
    """One call for several chains, and a vote."""

    config: SelfConsistencyConfig

    def turns(self, chat: Chat, /) -> Turns:
        """One call."""
        call = self.call(chat)
        texts = yield Call(call.chat, num=self.config.num_chains, temperature=self.config.temperature, stop=call.stop)
        return voted([self.answer(text) for text in texts])


def voted(answers: Sequence[str], /) -> str:
    """The most frequent answer; among those of equal frequency, the one that shares most words with all.

    >>> voted(["4", "5", "4"])
    '4'
    """
    plain = [" ".join(WORD.findall(text.lower())) for text in answers]
    frequency = Counter(plain)
    words = [set(text.split()) for text in plain]
    support = [
        (frequency[text], sum(_overlap(own, other) for other in words), -place)
        for place, (text, own) in enumerate(zip(plain, words, strict=True))
    ]
    return answers[max(range(len(answers)), key=support.__getitem__)]


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


CHAIN_OF_THOUGHT = Component(
    "chain-of-thought", ChainOfThoughtConfig, "genwright.systems.prompts.reasoning:ChainOfThought"
)
SELF_CONSISTENCY = Component(
    "self-consistency", SelfConsistencyConfig, "genwright.systems.prompts.reasoning:SelfConsistency"
)
