"""Settings of the baseline for images. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import GridShape, Shape
from genwright.families.config import FamilyConfig


class PcaMixtureConfig(FamilyConfig):
    """A Gaussian mixture over the `num_directions` main directions of at most `max_rows` images."""

    kind: Literal["pca-mixture"] = "pca-mixture"
    num_directions: int = Field(default=60, ge=1, le=4096)
    num_components: int = Field(default=60, ge=1, le=1000)
    max_rows: int = Field(default=10_000, ge=10)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with no more directions than an image has entries.

        Raises:
            ValueError: the samples are no images.
        """
        del depth
        if not isinstance(shape, GridShape):
            raise ValueError("family 'pca-mixture' works on grids")
        return self.model_copy(update={"num_directions": max(1, min(self.num_directions, shape.size - 1))})

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is fitted."""
        del shape

    def guides(self) -> bool:
        """Never."""
        return False

    def learning_rate(self) -> float:
        """There is nothing to step: a placeholder that no optimiser reads."""
        return 1.0


PCA_MIXTURE = Component(
    kind="pca-mixture",
    config=PcaMixtureConfig,
    factory="genwright.families.pca_mixture:PcaMixture",
    accepts=("grid",),
    extra="train",
)
