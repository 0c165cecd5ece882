"""Zero-shot: the instruction and the question. Persona: the same, with somebody who answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core import Component
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat


class ZeroShotConfig(PatternConfig):
    """The question in the template, and nothing else."""

    kind: Literal["zero-shot"] = "zero-shot"


class PersonaConfig(PatternConfig):
    """Who answers: `persona` is what the model is told that it is, in front of everything."""

    kind: Literal["persona"] = "persona"
    persona: str = Field(default="You are an expert in the field of the question. You answer exactly.", min_length=1)


class ZeroShot(Pattern[PatternConfig]):
    """One call with the template filled in."""

    def turns(self, chat: Chat, /) -> Turns:
        """One call."""
        (text,) = yield Call(self.asked(chat), stop=self.config.stop, last=True)
        return text


class Persona(ZeroShot):
    """One call, to somebody."""

    config: PersonaConfig

    def opening(self) -> Chat:
        """The persona, then what the system part says."""
        told = "\n\n".join(text for text in (self.config.persona, self.config.system) if text)
        return (("system", told),)


ZERO_SHOT = Component("zero-shot", ZeroShotConfig, "genwright.systems.prompts.zero_shot:ZeroShot")
PERSONA = Component("persona", PersonaConfig, "genwright.systems.prompts.zero_shot:Persona")
