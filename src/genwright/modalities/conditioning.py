"""Settings of a condition, importable at planning."""

from typing import Literal

from pydantic import Field

from genwright.core import Config


class ConditionConfig(Config):
    """A column to condition on: one of its categories, a number, or the words of a caption (the most frequent)."""

    column: str = Field(min_length=1)
    kind: Literal["category", "number", "words"] = "category"
    max_words: int = Field(default=2000, ge=1)
