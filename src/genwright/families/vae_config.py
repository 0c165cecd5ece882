"""Settings of the variational autoencoder. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import GridShape, Representation, Shape, TokenShape
from genwright.families.config import CELL_RATE, CELL_WIDTHS, FamilyConfig, has_own_ids

GRID_WIDTH_PER_LAYER = 8
WIDTH_PER_LAYER = 32
LATENT_PER_LAYER = 4


class VaeConfig(FamilyConfig):
    """A latent of independent normals, an encoder and a decoder.

    `width` counts channels (images) or hidden entries. The weight of the divergence rises to 1 over the first
    `warmup_fraction` of the budget. With `prior = "mixture"` a Gaussian mixture is fitted to the latents of the train
    split after training, and samples come from it; left open it is "normal" over columns of a table, whose decoder
    needs little of the latent, and "mixture" elsewhere. `bound_samples` is K of the likelihood's bound. `noise` says
    whether samples get the observation noise: where it is left open numbers do and images do not.

    Over tokens, `free_nats` of divergence in each latent entry cost nothing, and the decoder loses a share
    `word_dropout` of the tokens it reads while training: both keep it from ignoring the latent.

    With `quantiser = "vq"`, over images only, the latent is a map of codes: at each place one of `num_codes` vectors
    of `d_code` entries. `commitment` weighs how strongly the encoder keeps to them. Alone it draws the codes of all
    places independently; family `latent` puts a prior over them.
    """

    kind: Literal["vae"] = "vae"
    width: int | None = Field(default=None, ge=8, le=8192)
    num_layers: int | None = Field(default=None, ge=1, le=64)
    d_latent: int | None = Field(default=None, ge=1, le=4096)
    warmup_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    prior: Literal["mixture", "normal"] | None = None
    num_components: int = Field(default=60, ge=1, le=1000)
    mixture_rows: int = Field(default=20_000, ge=10)
    bound_samples: int = Field(default=8, ge=1, le=10_000)
    noise: bool | None = None
    free_nats: float = Field(default=0.1, ge=0.0)
    word_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    quantiser: Literal["none", "vq"] = "none"
    num_codes: int = Field(default=256, ge=2, le=65_536)
    d_code: int = Field(default=8, ge=1, le=1024)
    commitment: float = Field(default=0.25, ge=0.0)
    default_rate: float | None = Field(default=None, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with widths filled in.

        Raises:
            ValueError: the quantiser does not work on that representation.
        """
        if self.quantiser != "none" and not isinstance(shape, GridShape):
            raise ValueError(f"quantiser = '{self.quantiser}' works on grids; leave it out here")
        per_layer = GRID_WIDTH_PER_LAYER if isinstance(shape, GridShape) else WIDTH_PER_LAYER
        own = has_own_ids(shape)
        per_layer = CELL_WIDTHS["any"] if own else per_layer
        width = self.width or max(8, per_layer * depth)
        if isinstance(shape, TokenShape):
            rate = CELL_RATE if own else 0.003 * (512 / width) ** 0.5
            d_latent = (1 if own else 2) * LATENT_PER_LAYER * depth
        else:
            d_latent, rate = min(shape.size, LATENT_PER_LAYER * depth), 0.002
        filled = {
            "width": width,
            "num_layers": self.num_layers or (1 + depth // 8 if own else 2),
            "d_latent": self.d_latent or max(1, d_latent),
            "prior": self.prior or ("normal" if own else "mixture"),
            "default_rate": self.default_rate or rate,
        }
        return self.model_copy(update=filled)

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def not_private(self, representation: Representation, /) -> str | None:
        """None over tokens."""
        over = "its observation noise is that of a batch; over tokens it has none"
        return None if representation == "tokens" else over

    def guides(self) -> bool:
        """Never."""
        return False

    def learning_rate(self) -> float:
        """0.002 (assumption, tuned on small images); over tokens that of the autoregressive net of this width."""
        return self.default_rate or 0.002


VAE = Component(
    kind="vae",
    config=VaeConfig,
    factory="genwright.families.vae:vae",
    accepts=("tokens", "vector", "grid"),
    extra="train",
)
