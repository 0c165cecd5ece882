"""Settings of the diffusion family. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import GridShape, Shape, TokenShape
from genwright.families.config import FamilyConfig

GRID_WIDTH_PER_LAYER = 8
VECTOR_WIDTH_PER_LAYER = 64
TOKEN_WIDTH_PER_LAYER = 32


class DiffusionConfig(FamilyConfig):
    """From noise to data in `steps` steps: Gaussian noise on vectors and images, masks on tokens.

    `objective`, `sampler`, `sigma_data` and `sigma_max` are for vectors and images. `sigma_data` is the
    deviation of the data: left open, 0.5 for images and 1 for numbers. `width` counts channels of a U-Net, and
    hidden entries elsewhere; `num_layers` counts blocks at each resolution of a U-Net. `likelihood_points` is how
    many numbers of masked tokens the bound on a token sequence's likelihood is averaged over.
    """

    kind: Literal["diffusion"] = "diffusion"
    objective: Literal["flow", "edm"] = "edm"
    sampler: Literal["heun", "euler", "ancestral"] = "heun"
    width: int | None = Field(default=None, ge=8, le=8192)
    num_layers: int | None = Field(default=None, ge=1, le=256)
    steps: int | None = Field(default=None, ge=1, le=10_000)
    sigma_data: float | None = Field(default=None, gt=0.0)
    sigma_max: float = Field(default=80.0, gt=0.0)
    default_rate: float | None = Field(default=None, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    likelihood_points: int = Field(default=16, ge=1, le=10_000)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with widths, depth and steps filled in."""
        if isinstance(shape, GridShape):
            width, layers, steps = GRID_WIDTH_PER_LAYER * depth, 2, 18
        elif hasattr(shape, "columns"):
            width, layers, steps = VECTOR_WIDTH_PER_LAYER * depth, 3, 32
        else:
            width, layers, steps = TOKEN_WIDTH_PER_LAYER * depth, depth, 64
        width = self.width or width
        rate = self.default_rate or (0.003 * (512 / width) ** 0.5 if isinstance(shape, TokenShape) else None)
        layers, steps = self.num_layers or layers, self.steps or steps
        sigma_data = self.sigma_data or (0.5 if isinstance(shape, GridShape) else 1.0)
        return self.model_copy(
            update={
                "width": width,
                "num_layers": layers,
                "steps": steps,
                "sigma_data": sigma_data,
                "default_rate": rate,
            }
        )

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def learning_rate(self) -> float:
        """0.002 (assumption, tuned on small tables and images); over tokens that of the causal net of this width."""
        return self.default_rate or 0.002


DIFFUSION = Component(
    kind="diffusion",
    config=DiffusionConfig,
    factory="genwright.families.diffusion:diffusion",
    accepts=("tokens", "vector", "grid"),
    extra="train",
)
