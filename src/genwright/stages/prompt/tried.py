"""A prompt of the search, and asking with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from genwright.core import Context
from genwright.modalities.chat.messages import answer, chats, question
from genwright.modalities.chat.metrics import METRICS
from genwright.stages.prompt.config import PromptStageConfig
from genwright.systems.batches import complete
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import Prompt


@dataclass
class Tried:
    """One prompt of the search, and what its answers to the first questions were worth."""

    name: str
    prompt: Prompt
    scores: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean score so far."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class Answered:
    """One answer of one prompt."""

    text: str
    score: float
    num_tokens: int


@dataclass(frozen=True)
class Asking:
    """Questions of the development set, and the system that answers them.

    A question has one seed under every prompt.
    """

    system: Any
    rows: pa.Table
    config: PromptStageConfig
    context: Context

    def answers(self, prompt: Prompt, numbers: Sequence[int], /, *, title: str) -> list[Answered]:
        """What the system says to those questions under a prompt, and what that is worth."""
        asked = chats(self.rows.take(pa.array(list(numbers), pa.int64())))
        made = complete(
            PromptedSystem(self.system, prompt=prompt),
            [question(chat) for chat in asked],
            max_tokens=self.config.max_tokens,
            seeds=[self.context.seed_for(f"question {number}") for number in numbers],
            progress=self.context.progress,
            title=title,
        )
        metric = METRICS[self.config.metric]
        return [
            Answered(text, metric(text, answer(chat)), found.num_tokens)
            for found, chat in zip(made, asked, strict=True)
            for text in (found.text.strip(),)
        ]

    def extend(self, one: Tried, size: int, /) -> None:
        """Asks the first `size` questions, where they have not been asked yet."""
        numbers = range(len(one.scores), size)
        made = self.answers(one.prompt, numbers, title=f"ask {len(numbers)} questions: {one.name}")
        one.scores += [found.score for found in made]
        one.tokens += [found.num_tokens for found in made]
