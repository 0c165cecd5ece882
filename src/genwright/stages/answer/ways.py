"""Ways to answer, tried on the development half: sentences of the documents, and what a language model writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genwright.core import Context
from genwright.stages.answer.asked import Asked, one_by_one
from genwright.stages.answer.config import AnswerConfig
from genwright.stages.answer.measuring import is_right
from genwright.stages.answer.systems import make_system
from genwright.systems.grounded.generate import asked as message_of
from genwright.systems.grounded.grounding import Grounding
from genwright.systems.prompts import Prompt
from genwright.systems.requests import Chat

EXTRACTION = "extraction"


@dataclass(frozen=True)
class Way:
    """One way to answer, and the development questions that it was asked, each with whether it was right."""

    name: str
    grounding: Grounding
    right: Mapping[str, bool]


def ways_of(grounding: Grounding, asked: Sequence[Asked], config: AnswerConfig, context: Context, /) -> list[Way]:
    """Extraction, and each pattern where a model is there; all on the same questions.

    Raises:
        Interrupted: the user stopped the work.
    """
    rng = np.random.default_rng(context.seed_for("pattern questions"))
    num = len(asked) if not config.patterns else min(config.pattern_questions, len(asked))
    places = set(rng.permutation(len(asked))[:num].tolist())
    judged = [one for place, one in enumerate(asked) if place in places]
    others = [one for place, one in enumerate(asked) if place not in places]
    groundings = {EXTRACTION: grounding}
    for pattern in config.patterns:
        for number, settings in enumerate(pattern.searched(), start=1):
            prompt = Prompt(pattern=settings, examples=_examples(settings.num_examples, others or asked, config))
            name = pattern.kind if number == 1 else f"{pattern.kind} {number}"
            groundings[name] = grounding.model_copy(update={"generator": prompt})
    return [Way(name, one, _right(name, one, judged, context)) for name, one in groundings.items()]


def best_of(ways: Sequence[Way], /) -> Way:
    """The way that was right most often; of equal ones the first, which is extraction."""
    return max(ways, key=lambda way: sum(way.right.values()) / len(way.right))


def _right(name: str, grounding: Grounding, asked: Sequence[Asked], context: Context) -> dict[str, bool]:
    system = make_system(grounding, context, name=f"way-{name}".replace(" ", "-"))
    return {
        one.question.id: is_right(one.question, system.answer(one.retrieved, found=one.candidates))
        for one in one_by_one(asked, context)
    }


def _examples(num: int, asked: Sequence[Asked], config: AnswerConfig) -> tuple[Chat, ...]:
    """Solved questions that no way is judged by: the passage that answers, and the words of it that do."""
    found = (example for one in asked if (example := _example(one, config.answering)) is not None)
    return tuple(example for example, _ in zip(found, range(num), strict=False))


def _example(one: Asked, answering: Any) -> Chat | None:
    for passage in one.retrieved.passages:
        for name, start, end in one.question.spans:
            if name == passage.document and passage.start <= start and end <= passage.end:
                quote = " ".join(passage.text[start - passage.start : end - passage.start].split())
                told = message_of(one.question.text, [passage], answering=answering, count=len)
                return (("user", told), ("assistant", quote))
    return None
