"""Settings of a net whose layers are those of the `transformers` library. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.nets.config import NetConfig


class WrappedConfig(NetConfig):
    """`settings` are those of the model's `config.json`; [base] fills them in."""

    kind: Literal["transformers"] = "transformers"
    settings: dict[str, Any] = Field(default_factory=dict)

    def resolve(self, *, depth: int, vocab_size: int) -> Self:
        """The same settings: they say everything."""
        del depth, vocab_size
        return self

    def num_parameters(self, *, vocab_size: int) -> int:
        """Embedding and blocks as the settings tell of their sizes, a bound for what they leave out."""
        d = int(self.settings.get("hidden_size") or self.settings.get("n_embd") or 0)
        layers = int(self.settings.get("num_hidden_layers") or self.settings.get("n_layer") or 0)
        return vocab_size * d + 12 * layers * d * d

    def learning_rate(self) -> float:
        """0.0003 (assumption): what is moved is a pretrained model."""
        return 3e-4


WRAPPED = Component(
    kind="transformers",
    config=WrappedConfig,
    factory="genwright.nets.wrapped:Wrapped",
    accepts=("tokens",),
    extra="pretrained",
)
