"""Decomposition: smaller questions first, each answered with those before, then the whole."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from genwright.core import Component
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat

NUMBER = re.compile(r"^\s*(?:\d+[.):]|[-*])\s*")


class DecompositionConfig(PatternConfig):
    """`divide` asks for at most `max_parts` smaller questions, one a line; `part` asks one of them.

    Source: least-to-most prompting, Zhou et al. 2023, arXiv:2205.10625.
    """

    kind: Literal["decomposition"] = "decomposition"
    divide: str = (
        "Which smaller questions have to be answered first? Write at most {{ max_parts }}, one on each line, and "
        "nothing else.\n\n{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}"
    )
    part: str = "{{ input }}\n\n{% for one in known %}{{ one.question }} {{ one.answer }}\n{% endfor %}{{ question }}"
    template: str = (
        "{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}\n\n"
        "What is known:\n{% for one in known %}{{ one.question }} {{ one.answer }}\n{% endfor %}"
    )
    max_parts: int = Field(default=3, ge=1, le=16)


class Decomposition(Pattern[DecompositionConfig]):
    """A call for the parts, one for each part, and one for the whole."""

    def turns(self, chat: Chat, /) -> Turns:
        """The parts in order, then the answer."""
        settings = self.config
        divide = self.asked(chat, template=settings.divide, max_parts=settings.max_parts)
        (listed,) = yield Call(divide, temperature=0.0)
        known: list[dict[str, str]] = []
        for question in parts(listed)[: settings.max_parts]:
            asked = self.asked(chat, template=settings.part, known=known, question=question)
            (found,) = yield Call(asked, temperature=0.0)
            known.append({"question": question, "answer": found.strip()})
        (text,) = yield Call(self.asked(chat, known=known), stop=settings.stop, last=True)
        return text


def parts(listed: str, /) -> list[str]:
    """The lines of a list without their numbers.

    >>> parts("1. What is it?\\n2) Where?")
    ['What is it?', 'Where?']
    """
    return [found for line in listed.splitlines() if (found := NUMBER.sub("", line).strip())]


DECOMPOSITION = Component("decomposition", DecompositionConfig, "genwright.systems.prompts.decomposition:Decomposition")
