"""Settings of the adversarial family. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import GridShape, Representation, Shape, TokenShape
from genwright.families.config import FamilyConfig

GRID_WIDTH_PER_LAYER = 8
VECTOR_WIDTH_PER_LAYER = 32


class GanConfig(FamilyConfig):
    """A generator against a critic that compares real and made samples in pairs.

    `gamma` weighs the penalties on the critic's gradients; it and AdamW's step fall over the budget, `gamma` to
    `gamma_final`. `gumbel` is the temperature of soft one-hot draws of categories.
    """

    kind: Literal["gan"] = "gan"
    width: int | None = Field(default=None, ge=8, le=8192)
    num_layers: int = Field(default=2, ge=1, le=64)
    d_latent: int | None = Field(default=None, ge=1, le=4096)
    gamma: float = Field(default=0.5, ge=0.0)
    gamma_final: float = Field(default=0.05, ge=0.0)
    gumbel: float = Field(default=0.5, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with widths filled in.

        Raises:
            ValueError: the representation is none that it works on.
        """
        if isinstance(shape, TokenShape):
            raise ValueError("family 'gan' works on vectors and grids")
        per_layer = GRID_WIDTH_PER_LAYER if isinstance(shape, GridShape) else VECTOR_WIDTH_PER_LAYER
        width = self.width or max(8, per_layer * depth)
        return self.model_copy(update={"width": width, "d_latent": self.d_latent or max(8, 8 * depth)})

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def not_private(self, representation: Representation, /) -> str:
        """Always a reason."""
        del representation
        return "noise on its critic alone would do, and is not there"

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Never."""
        del representation, own_ids
        return False

    def guides(self) -> bool:
        """Never."""
        return False

    def learning_rate(self) -> float:
        """0.0005, for AdamW (assumption)."""
        return 0.0005


GAN = Component(
    kind="gan",
    config=GanConfig,
    factory="genwright.families.gan:Gan",
    accepts=("vector", "grid"),
    extra="train",
    instead={"tokens": {"kind": "latent"}},
)
