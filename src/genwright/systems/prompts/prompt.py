"""The prompt artifact: `prompt.json`, addressed by the digest of its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genwright.core import Config, IntegrityError, component, component_field
from genwright.core.digest import canonical_json
from genwright.families import SamplingConfig
from genwright.systems.prompts.pattern import Pattern
from genwright.systems.requests import Chat

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
    (folder / NAME).write_bytes(canonical_json(body) + b"\n")


def read_prompt(folder: Path, /) -> Prompt:
    """The prompt in that folder.

    Raises:
        IntegrityError: there is none, or it cannot be read.
    """
    try:
        values: Mapping[str, Any] = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder.name} holds no readable {NAME} ({error})", hint="genwright verify") from None
    return Prompt.parse({name: value for name, value in values.items() if name != "format"}, where=NAME)
