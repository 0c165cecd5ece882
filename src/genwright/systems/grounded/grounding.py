"""The grounding artifact: how a system answers from its index, with everything that was calibrated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from genwright.core import Config, IntegrityError
from genwright.core.digest import canonical_json
from genwright.systems.grounded import confidence, extract, support
from genwright.systems.grounded.config import AnsweringConfig
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.prompts import Prompt

NAME = "grounding.json"


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
