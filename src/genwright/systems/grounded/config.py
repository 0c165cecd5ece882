"""Settings of answering, importable at planning: pydantic only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core import Config


class AnsweringConfig(Config):
    """How answers are made of what is found.

    `passages` are searched for; a model reads those that fit into `budget_tokens`, and answers in `max_tokens`. An
    extractive answer has at most `max_words` words: the best sentence, and others that are worth at least `least` of
    it. `marked = "on"` puts a sign between the words of passages, so that a model can tell them from what it is told.
    """

    passages: int = Field(default=6, ge=1, le=100)
    max_words: int = Field(default=45, ge=5, le=1000)
    least: float = Field(default=0.05, ge=0.0, le=1.0)
    budget_tokens: int = Field(default=600, ge=50, le=1_000_000)
    max_tokens: int = Field(default=80, ge=1, le=100_000)
    marked: Literal["on", "off"] = "off"
