"""Settings of two-stage families. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

from pydantic import Field

from genwright.core import Component, component_field
from genwright.core.representations import Shape, VectorColumn, VectorShape
from genwright.families.config import FamilyConfig
from genwright.families.vae_config import VaeConfig

_Family: Any = component_field("families")


def latent_shape(d_latent: int, /, *, cond_size: int) -> VectorShape:
    """What the second family works on: that many standardised numbers."""
    columns = tuple(VectorColumn(f"latent {place}", "number") for place in range(d_latent))
    return VectorShape(columns, cond_size)


class LatentConfig(FamilyConfig):
    """An autoencoder, and a family over its latents trained after it.

    The autoencoder is trained until the fraction `split` of the budget, the prior from there on.
    """

    kind: Literal["latent"] = "latent"
    autoencoder: VaeConfig = Field(default_factory=VaeConfig)
    prior: _Family = Field(default="diffusion", validate_default=True)
    split: float = Field(default=0.5, gt=0.0, lt=1.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with those of both families filled in.

        Raises:
            ValueError: a family does not work on what it gets.
        """
        autoencoder = self.autoencoder.resolve(depth=depth, shape=shape)
        autoencoder = autoencoder.model_copy(update={"prior": "normal", "num_components": 1})
        assert autoencoder.d_latent, "resolve() fills it in"
        prior = cast("FamilyConfig", self.prior)
        if prior.kind not in ("diffusion", "gan"):
            raise ValueError(f"family 'latent' takes diffusion or gan as its prior, not '{prior.kind}'")
        inner = latent_shape(autoencoder.d_latent, cond_size=shape.cond_size)
        return self.model_copy(update={"autoencoder": autoencoder, "prior": prior.resolve(depth=depth, shape=inner)})

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def learning_rate(self) -> float:
        """The autoencoder's; the prior's parts take their own."""
        return self.autoencoder.learning_rate()


LATENT = Component(
    kind="latent",
    config=LatentConfig,
    factory="genwright.families.latent:Latent",
    accepts=("tokens", "vector", "grid"),
    extra="train",
)
