"""Settings of the nets that denoise: over vectors, images and masked tokens. Imports no torch.

A backbone's factory is called `(config, shape=...)` and gives `net(x, time, cond)`, of one size in and out; over tokens
`net(ids, cond, seen)` gives hidden states, and `net.head` their logits.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from genwright.core import Component, Config

RATE = 0.002


class BackboneConfig(Config):
    """Settings of a backbone; what is left at None follows from the depth."""

    width_per_layer: ClassVar[int]
    layers_by_depth: ClassVar[int | None] = None

    kind: str
    width: int | None = Field(default=None, ge=8, le=8192)
    num_layers: int | None = Field(default=None, ge=1, le=256)

    def resolve(self, *, depth: int) -> Self:
        """The same settings with width and layers filled in."""
        width = self.width or max(8, self.width_per_layer * depth)
        return self.model_copy(update={"width": width, "num_layers": self.num_layers or self.layers_by_depth or depth})

    def sizes(self) -> tuple[int, int]:
        """(width, num_layers) of a resolved config."""
        assert self.width and self.num_layers, "resolve() first"
        return self.width, self.num_layers

    def learning_rate(self) -> float:
        """AdamW's learning rate where none is asked for: 0.002 (assumption, tuned on small tables and images)."""
        return RATE


class UNetConfig(BackboneConfig):
    """A U-Net over images; `width` counts channels, `num_layers` the blocks at each resolution."""

    width_per_layer = 8
    layers_by_depth = 2

    kind: Literal["unet"] = "unet"


class DitConfig(BackboneConfig):
    """A transformer over square patches of images, `patch` entries a side."""

    width_per_layer = 32

    kind: Literal["dit"] = "dit"
    patch: int = Field(default=2, ge=1, le=64)

    def learning_rate(self) -> float:
        """0.001 (assumption)."""
        return RATE / 2


class MlpConfig(BackboneConfig):
    """A residual perceptron over vectors."""

    width_per_layer = 64
    layers_by_depth = 3

    kind: Literal["mlp"] = "mlp"
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class BidirectionalConfig(BackboneConfig):
    """A transformer over tokens in which every position sees every other one."""

    width_per_layer = 32

    kind: Literal["bidirectional"] = "bidirectional"
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    def learning_rate(self) -> float:
        """That of a causal net of this width."""
        return float(0.003 * (512 / self.sizes()[0]) ** 0.5)


UNET = Component(kind="unet", config=UNetConfig, factory="genwright.nets.unet:unet", accepts=("grid",), extra="train")
DIT = Component(kind="dit", config=DitConfig, factory="genwright.nets.dit:dit", accepts=("grid",), extra="train")
MLP = Component(kind="mlp", config=MlpConfig, factory="genwright.nets.mlp:mlp", accepts=("vector",), extra="train")
BIDIRECTIONAL = Component(
    kind="bidirectional",
    config=BidirectionalConfig,
    factory="genwright.nets.bidirectional:bidirectional",
    accepts=("tokens",),
    extra="train",
)
