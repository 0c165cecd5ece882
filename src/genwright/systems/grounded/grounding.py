"""The grounding artifact: how a system answers from its index, with everything that was calibrated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from genwright.core import Config, IntegrityError
from genwright.core.digest import canonical_json
from genwright.systems.grounded import confidence, extract, support
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.prompts import Prompt

NAME = "grounding.json"


class AnsweringConfig(Config):
    """How answers are made of what is found.

    `passages` are searched for; a model reads those that fit into `budget_tokens`, and answers in `max_tokens`. An
    extractive answer has at most `max_words` words: the best sentence, and others that are worth at least `least` of
    it. `marked = "on"` puts a sign between the words of passages, so that a model can tell them from what it is told.
    """

    passages: int = Field(default=6, ge=1, le=100)
    max_words: int = Field(default=45, ge=5, le=1000)
    least: float = Field(default=0.3, ge=0.0, le=1.0)
    budget_tokens: int = Field(default=600, ge=50, le=1_000_000)
    max_tokens: int = Field(default=80, ge=1, le=100_000)
    marked: Literal["on", "off"] = "off"


class Grounding(Config):
    """What a grounded system was made with.

    `generator` is the prompt that its language model is asked by; None answers with sentences of the documents.
    A sentence is shown where its support is at least `support_threshold`, an answer where its confidence is at least
    `confidence_threshold`.
    """

    answering: AnsweringConfig = AnsweringConfig()
    generator: Prompt | None = None
    extraction: Logistic = Logistic.flat(extract.SIGNALS)
    support: Logistic = Logistic.flat(support.SIGNALS)
    confidence: Logistic = Logistic.flat(confidence.SIGNALS)
    support_threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    confidence_threshold: float = Field(default=0.0, ge=0.0, le=1.0)


def write_grounding(grounding: Grounding, /, *, folder: Path) -> None:
    """Writes `grounding.json`; equal settings give equal bytes."""
    body = {"format": 1, **grounding.model_dump(mode="json")}
    (folder / NAME).write_bytes(canonical_json(body) + b"\n")


def read_grounding(folder: Path, /) -> Grounding:
    """The settings in that folder.

    Raises:
        IntegrityError: there are none, or they cannot be read.
    """
    try:
        values: Mapping[str, Any] = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder.name} holds no readable {NAME} ({error})", hint="genwright verify") from None
    return Grounding.parse({name: value for name, value in values.items() if name != "format"}, where=NAME)
