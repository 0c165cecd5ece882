"""Settings of two-stage families. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

from pydantic import Field

from genwright.core import Component, component, component_field
from genwright.core.representations import GridShape, Shape, TokenShape, VectorColumn, VectorShape, representation_of
from genwright.families.config import FamilyConfig
from genwright.families.vae_config import VaeConfig

# The autoencoder halves each side twice.
CODE_STRIDE = 4
_Family: Any = component_field("families")


def latent_shape(config: VaeConfig, /, *, shape: Shape) -> VectorShape | TokenShape:
    """What the second family works on: standardised numbers, or the codes of a map, row after row, which share ids."""
    if config.quantiser == "vq":
        assert isinstance(shape, GridShape), "resolve() refuses others"
        places = -(-shape.height // CODE_STRIDE) * -(-shape.width // CODE_STRIDE)
        count = config.num_codes
        return TokenShape(count + 2, count, count + 1, places, ((0, count),) * places, shape.cond_size)
    assert config.d_latent, "resolve() fills it in"
    columns = tuple(VectorColumn(f"latent {place}", "number") for place in range(config.d_latent))
    return VectorShape(columns, shape.cond_size)


class LatentConfig(FamilyConfig):
    """An autoencoder, and a family over its latents trained after it.

    The autoencoder is trained until the fraction `split` of the budget, the prior from there on: any family that is
    trained by steps alone and accepts vectors, or tokens where the autoencoder has a quantiser.
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
        prior = cast("FamilyConfig", self.prior)
        inner = latent_shape(autoencoder, shape=shape)
        made = representation_of(inner)
        if prior.kind == self.kind or made not in component("families", prior.kind).accepts:
            raise ValueError(f"family '{prior.kind}' is no prior here: the latent is of kind '{made}'")
        return self.model_copy(update={"autoencoder": autoencoder, "prior": prior.resolve(depth=depth, shape=inner)})

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def guides(self) -> bool:
        """Where the prior does."""
        return cast("FamilyConfig", self.prior).guides()

    def learning_rate(self) -> float:
        """The autoencoder's; the prior's parts take their own."""
        return self.autoencoder.learning_rate()


LATENT = Component(
    kind="latent",
    config=LatentConfig,
    factory="genwright.families.latent:latent",
    accepts=("tokens", "vector", "grid"),
    extra="train",
)
