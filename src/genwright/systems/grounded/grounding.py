"""The grounding artifact: how a system answers from its index, with everything that was calibrated."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genwright.core import Config
from genwright.systems.grounded import confidence, extract, support
from genwright.systems.grounded.config import AnsweringConfig
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.prompts import Prompt
from genwright.systems.stored import read_stored, write_stored

NAME = "grounding.json"


class Grounding(Config):
    """What a grounded system was made with.

    `generator` is the prompt that its language model is asked by; None answers with sentences of the documents.
    A sentence is shown where its support is at least `support_threshold`, an answer where its confidence is at least
    `confidence_threshold`.
    """

    answering: AnsweringConfig = AnsweringConfig()
    generator: Prompt | None = None
    extraction: Logistic = Logistic.flat(extract.CHOSEN_BY)
    support: Logistic = Logistic.flat(support.SIGNALS)
    confidence: Logistic = Logistic.flat(confidence.SIGNALS)
    support_threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    confidence_threshold: float = Field(default=0.0, ge=0.0, le=1.0)


def write_grounding(grounding: Grounding, /, *, folder: Path) -> None:
    """Writes `grounding.json`; equal settings give equal bytes."""
    body = {"format": 1, **grounding.model_dump(mode="json")}
    write_stored(body, folder / NAME)


def read_grounding(folder: Path, /) -> Grounding:
    """The settings in that folder.

    Raises:
        IntegrityError: there are none, or they cannot be read.
    """
    values = read_stored(folder / NAME)
    return Grounding.parse({name: value for name, value in values.items() if name != "format"}, where=NAME)
