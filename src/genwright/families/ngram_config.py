"""Settings of the n-gram family. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import Representation, Shape, TokenShape
from genwright.families.config import FamilyConfig


class NgramConfig(FamilyConfig):
    """The next token from the `order` - 1 before it, backing off to fewer."""

    kind: Literal["ngram"] = "ngram"
    order: int = Field(default=4, ge=1, le=16)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """Nothing is open.

        Raises:
            ValueError: the samples are no sequences, or so many tokens in a row have no number of 63 bits.
        """
        del depth
        if not isinstance(shape, TokenShape) or shape.cells:
            raise ValueError("family 'ngram' works on sequences of tokens")
        if shape.vocab_size**self.order >= 1 << 63:
            raise ValueError(f"order = {self.order} is too much for {shape.vocab_size} tokens; lower it")
        return self

    def num_parameters(self, *, shape: Shape) -> None:
        """As many as there are different n-grams: counted once it is fitted."""
        del shape

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Never."""
        del representation, own_ids
        return False

    def guides(self) -> bool:
        """Never."""
        return False

    def learning_rate(self) -> float:
        """Nothing is learnt by steps."""
        return 0.0


NGRAM = Component(
    kind="ngram",
    config=NgramConfig,
    factory="genwright.families.ngram:Ngram",
    accepts=("tokens",),
    extra="train",
)
