"""Settings of the latent-class mixture. Imports no torch."""

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import Representation, Shape, TokenShape
from genwright.families.config import FamilyConfig


class LatentClassConfig(FamilyConfig):
    """A mixture of products of categoricals, fitted by expectation maximisation."""

    kind: Literal["latent-class"] = "latent-class"
    num_classes: int = Field(default=150, ge=1, le=10_000)
    num_rounds: int = Field(default=30, ge=1, le=10_000)
    smoothing: float = Field(default=0.1, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """Nothing is open.

        Raises:
            ValueError: the tokens have no fixed layout.
        """
        del depth
        if not isinstance(shape, TokenShape):
            raise ValueError("family 'latent-class' works on tokens")
        return self

    def num_parameters(self, *, shape: Shape) -> int:
        """A weight per class, and a share per class and id."""
        assert isinstance(shape, TokenShape)
        return self.num_classes * (1 + shape.vocab_size)

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


LATENT_CLASS = Component(
    kind="latent-class",
    config=LatentClassConfig,
    factory="genwright.families.latent_class:LatentClass",
    accepts=("tokens",),
    extra="train",
)
