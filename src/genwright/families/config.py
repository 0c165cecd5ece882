"""Settings of the families and of the one sampler. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self, cast

from pydantic import Field

from genwright.core import Component, Config, component_field
from genwright.nets import NetConfig, SizedConfig, TransformerConfig


class FamilyConfig(SizedConfig):
    """Settings of a family; it holds the settings of its nets."""


class AutoregressiveConfig(FamilyConfig):
    """Next-token prediction over one causal net."""

    kind: Literal["autoregressive"] = "autoregressive"
    net: component_field("nets") = Field(default_factory=TransformerConfig)  # type: ignore[valid-type]

    def resolve(self, *, depth: int, vocab_size: int) -> Self:
        """The same settings with the net's shapes filled in."""
        net = self._net().resolve(depth=depth, vocab_size=vocab_size)
        return self.model_copy(update={"net": net})

    def num_parameters(self, *, vocab_size: int) -> int:
        """The net's count."""
        return self._net().num_parameters(vocab_size=vocab_size)

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
