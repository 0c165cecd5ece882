"""Settings of the variational autoencoder. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import GridShape, Shape, TokenShape
from genwright.families.config import FamilyConfig

GRID_WIDTH_PER_LAYER = 8
WIDTH_PER_LAYER = 32
LATENT_PER_LAYER = 4


class VaeConfig(FamilyConfig):
    """A latent of independent normals, an encoder and a decoder.

    `width` counts channels (images) or hidden entries. The weight of the divergence rises to 1 over the first
    `warmup_fraction` of the budget. With `prior = "mixture"` a Gaussian mixture is fitted to the latents of the train
    split after training, and samples come from it. `bound_samples` is K of the likelihood's bound. `noise` says
    whether samples get the observation noise: where it is left open numbers do and images do not.
    """

    kind: Literal["vae"] = "vae"
    width: int | None = Field(default=None, ge=8, le=8192)
    num_layers: int = Field(default=2, ge=1, le=64)
    d_latent: int | None = Field(default=None, ge=1, le=4096)
    warmup_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    prior: Literal["mixture", "normal"] = "mixture"
    num_components: int = Field(default=60, ge=1, le=1000)
    mixture_rows: int = Field(default=20_000, ge=10)
    bound_samples: int = Field(default=8, ge=1, le=10_000)
    noise: bool | None = None

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with widths filled in.

        Raises:
            ValueError: the representation is none that it works on.
        """
        if isinstance(shape, TokenShape):
            raise ValueError("family 'vae' works on vectors and grids")
        per_layer = GRID_WIDTH_PER_LAYER if isinstance(shape, GridShape) else WIDTH_PER_LAYER
        width = self.width or max(8, per_layer * depth)
        d_latent = self.d_latent or max(1, min(shape.size, LATENT_PER_LAYER * depth))
        return self.model_copy(update={"width": width, "d_latent": d_latent})

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def learning_rate(self) -> float:
        """0.002, for AdamW (assumption, tuned on small images)."""
        return 0.002


VAE = Component(
    kind="vae",
    config=VaeConfig,
    factory="genwright.families.vae:Vae",
    accepts=("vector", "grid"),
    extra="train",
)
