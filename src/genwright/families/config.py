"""Settings of the families and of the one sampler. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self, cast

from pydantic import Field

from genwright.core import Component, Config, component_field
from genwright.core.representations import Shape, TokenShape
from genwright.nets import NetConfig, TransformerConfig


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
    """Next-token prediction over one causal net."""

    kind: Literal["autoregressive"] = "autoregressive"
    net: component_field("nets") = Field(default_factory=TransformerConfig)  # type: ignore[valid-type]

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with the net's shapes filled in."""
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        net = self._net().resolve(depth=depth, vocab_size=shape.vocab_size)
        return self.model_copy(update={"net": net})

    def num_parameters(self, *, shape: Shape) -> int:
        """The net's count, and the condition's matrix and null vector where there is one."""
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        condition = (shape.cond_size + 1) * self._net().width() if shape.cond_size else 0
        return self._net().num_parameters(vocab_size=shape.vocab_size) + condition

    def learning_rate(self) -> float:
        """The net's."""
        return self._net().learning_rate()

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
    factory="genwright.families.autoregressive:Autoregressive",
    accepts=("tokens",),
    extra="train",
)
