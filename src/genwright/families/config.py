"""Settings of the families and of the one sampler. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self, cast

from pydantic import Field

from genwright.core import Component, Config, component_field
from genwright.core.representations import Shape, TokenShape
from genwright.nets import NetConfig, TransformerConfig

CELL_WIDTH_PER_LAYER = 96


class FamilyConfig(Config):
    """Settings of a family; it holds the settings of its nets, whose open widths a depth fills in."""

    kind: str

    @abstractmethod
    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with every width filled in."""

    @abstractmethod
    def num_parameters(self, *, shape: Shape) -> int | None:
        """How many parameters the resolved family has; None where only building it tells."""

    @abstractmethod
    def learning_rate(self) -> float:
        """AdamW's learning rate where none is asked for."""


class AutoregressiveConfig(FamilyConfig):
    """Next-token prediction over one causal net; over a fixed layout of cells, any cell given any others.

    `cell_width` and `cell_layers` are of the perceptron that a fixed layout is modelled with, instead of `net`.
    """

    kind: Literal["autoregressive"] = "autoregressive"
    net: component_field("nets") = Field(default_factory=TransformerConfig)  # type: ignore[valid-type]
    cell_width: int | None = Field(default=None, ge=8, le=16_384)
    cell_layers: int = Field(default=3, ge=1, le=64)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with the net's shapes filled in."""
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        if shape.cells:
            return self.model_copy(update={"cell_width": self.cell_width or CELL_WIDTH_PER_LAYER * depth})
        net = self._net().resolve(depth=depth, vocab_size=shape.vocab_size)
        return self.model_copy(update={"net": net})

    def num_parameters(self, *, shape: Shape) -> int | None:
        """The net's count; for a fixed layout it is counted once built."""
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        return None if shape.cells else self._net().num_parameters(vocab_size=shape.vocab_size)

    def learning_rate(self) -> float:
        """The net's; for a fixed layout 0.002 (assumption)."""
        return 0.002 if self.cell_width else self._net().learning_rate()

    def _net(self) -> NetConfig:
        return cast("NetConfig", self.net)


class SamplingConfig(Config):
    """How the next token is drawn. Off: temperature 1, top_k 0, top_p 1, min_p 0, penalty 1. Greedy: temperature 0."""

    temperature: float = Field(default=1.0, ge=0.0, le=100.0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    min_p: float = Field(default=0.0, ge=0.0, le=1.0)
    repetition_penalty: float = Field(default=1.0, gt=0.0, le=10.0)


AUTOREGRESSIVE = Component(
    kind="autoregressive",
    config=AutoregressiveConfig,
    factory="genwright.families.autoregressive:build",
    accepts=("tokens",),
    extra="train",
)
