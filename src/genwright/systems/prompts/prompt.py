"""The prompt artifact: `prompt.json`, addressed by the digest of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genwright.core import Config, component, component_field
from genwright.families import SamplingConfig
from genwright.systems.prompts.pattern import Pattern
from genwright.systems.requests import Chat
from genwright.systems.stored import read_stored, write_stored

NAME = "prompt.json"
_Pattern: Any = component_field("prompts")


class Prompt(Config):
    """A pattern, the sampling that it was chosen with (None: the system's own), and the examples it may show."""

    pattern: _Pattern
    sampling: SamplingConfig | None = None
    examples: tuple[Chat, ...] = ()

    def built(self) -> Pattern[Any]:
        """The pattern ready for use."""
        made: Pattern[Any] = component("prompts", self.pattern.kind).load()(self.pattern, examples=self.examples)
        return made


def write_prompt(prompt: Prompt, /, *, folder: Path) -> None:
    """Writes `prompt.json`; equal prompts give equal bytes."""
    body = {"format": 1, **prompt.model_dump(mode="json")}
    write_stored(body, folder / NAME)


def read_prompt(folder: Path, /) -> Prompt:
    """The prompt in that folder.

    Raises:
        IntegrityError: there is none, or it cannot be read.
    """
    values = read_stored(folder / NAME)
    return Prompt.parse({name: value for name, value in values.items() if name != "format"}, where=NAME)
