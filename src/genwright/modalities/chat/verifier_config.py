"""Settings of verifiers: what decides whether an answer is right. pydantic only."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from genwright.core import Config


class ExactConfig(Config):
    """An answer is right where it is the reference answer, but for white space."""

    kind: Literal["exact"] = "exact"


class RegexConfig(Config):
    """An answer is right where the pattern matches all of it (`.` is any character, line ends too)."""

    kind: Literal["regex"] = "regex"
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value


class JsonConfig(Config):
    """An answer is right where it is a JSON object that has these keys."""

    kind: Literal["json"] = "json"
    keys: tuple[str, ...] = ()


class DoctestConfig(Config):
    """An answer is right where its Python code passes the examples (`>>>`) that its question shows.

    The code runs in a process of its own with limits on time, memory and files, without network where the system lets a
    user turn it off. That stops accidents, and is no sandbox against code that means harm.
    """

    kind: Literal["doctest"] = "doctest"
    seconds: int = Field(default=5, ge=1, le=600)
    memory_mb: int = Field(default=512, ge=64, le=65_536)


def named(value: Any) -> Any:
    """A name alone stands for a table with that kind."""
    return {"kind": value} if isinstance(value, str) else value


VerifierConfig = Annotated[
    Annotated[ExactConfig | RegexConfig | JsonConfig | DoctestConfig, Field(discriminator="kind")],
    BeforeValidator(named),
]
