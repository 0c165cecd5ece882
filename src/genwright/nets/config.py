"""Settings of the nets, and how a depth fills in what they leave open. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self

from pydantic import Field

from genwright.core import Component, Config
from genwright.nets.dial import scale_at

MIN_LSTM_STEP = 16


class SizedConfig(Config):
    """Settings of a net whose open shapes a depth fills in."""

    kind: str

    @abstractmethod
    def resolve(self, *, depth: int, vocab_size: int) -> Self:
        """The same settings with every shape filled in."""

    @abstractmethod
    def num_parameters(self, *, vocab_size: int) -> int:
        """How many parameters the resolved component has."""

    @abstractmethod
    def learning_rate(self) -> float:
        """AdamW's learning rate where none is asked for."""


class NetConfig(SizedConfig):
    """Settings of a net; every shape left at None follows from the depth."""

    d_model: int | None = None


class TransformerConfig(NetConfig):
    """A Llama-layout transformer. With `qk_norm` it is Qwen3's layout; with experts Mixtral's or Qwen3-MoE's."""

    kind: Literal["transformer"] = "transformer"
    num_layers: int | None = Field(default=None, ge=1, le=512)
    d_model: int | None = Field(default=None, ge=8, le=65536)
    num_heads: int | None = Field(default=None, ge=1, le=1024)
    num_kv_heads: int | None = Field(default=None, ge=1, le=1024)
    d_ff: int | None = Field(default=None, ge=8)
    tied_head: bool = True
    qk_norm: bool = True
    num_experts: int = Field(default=0, ge=0, le=1024)
    num_experts_per_token: int = Field(default=2, ge=1, le=64)
    balance_weight: float = Field(default=0.01, ge=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    rope_theta: float = Field(default=10_000.0, gt=1.0)
    norm_eps: float = Field(default=1e-6, gt=0.0)
    attention: Literal["auto", "matmul", "sdpa"] = "auto"

    def resolve(self, *, depth: int, vocab_size: int) -> Self:
        """The same settings with every shape filled in: heads of 64 (32 when narrow), inner width 8/3 of d_model.

        Raises:
            ValueError: heads do not divide the width, or key-value heads do not divide the heads.
        """
        del vocab_size
        d_model = self.d_model or scale_at(depth).d_model
        num_heads = self.num_heads or max(1, d_model // (64 if d_model >= 256 else 32))
        num_kv_heads = self.num_kv_heads or num_heads
        if d_model % (2 * num_heads) or num_heads % num_kv_heads:
            raise ValueError(
                f"d_model={d_model} must be a multiple of 2 x num_heads={num_heads}, "
                f"and num_heads a multiple of num_kv_heads={num_kv_heads}"
            )
        return self.model_copy(
            update={
                "num_layers": self.num_layers or depth,
                "d_model": d_model,
                "num_heads": num_heads,
                "num_kv_heads": num_kv_heads,
                "d_ff": self.d_ff or _inner_width(d_model, per_token=self._active_experts()),
            }
        )

    def _active_experts(self) -> int:
        return min(self.num_experts_per_token, self.num_experts) if self.num_experts else 1

    def num_parameters(self, *, vocab_size: int) -> int:
        """Embedding, blocks, norms and, where it is untied, the head."""
        d, layers, heads, kv, ff = self.shape()
        head_dim = d // heads
        attention = 2 * d * d + 2 * d * kv * head_dim + (2 * head_dim if self.qk_norm else 0)
        feed = 3 * d * ff * max(1, self.num_experts) + d * self.num_experts
        return layers * (attention + feed + 2 * d) + d + vocab_size * d * (1 if self.tied_head else 2)

    def learning_rate(self) -> float:
        """0.004 at width 256 (0.0027 was worse, 0.006 alike), falling with the root of the width (assumption)."""
        return float(0.004 * (256 / self.shape()[0]) ** 0.5)

    def shape(self) -> tuple[int, int, int, int, int]:
        """(d_model, num_layers, num_heads, num_kv_heads, d_ff) of a resolved config."""
        numbers = (self.d_model, self.num_layers, self.num_heads, self.num_kv_heads, self.d_ff)
        assert all(numbers), "resolve() first"
        return tuple(n or 0 for n in numbers)  # type: ignore[return-value]


class LstmConfig(NetConfig):
    """A stack of LSTM layers with a tied head; its width is matched to the transformer of the same depth."""

    kind: Literal["lstm"] = "lstm"
    num_layers: int = Field(default=2, ge=1, le=32)
    d_model: int | None = Field(default=None, ge=8, le=65536)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    def resolve(self, *, depth: int, vocab_size: int) -> Self:
        """The width whose parameter count is nearest to the transformer's of that depth, a multiple of 16."""
        if self.d_model:
            return self
        target = TransformerConfig().resolve(depth=depth, vocab_size=vocab_size).num_parameters(vocab_size=vocab_size)

        def miss(width: int) -> int:
            sized = self.model_copy(update={"d_model": width})
            return abs(sized.num_parameters(vocab_size=vocab_size) - target)

        widths = range(MIN_LSTM_STEP, 8 * scale_at(depth).d_model, MIN_LSTM_STEP)
        return self.model_copy(update={"d_model": min(widths, key=miss)})

    def num_parameters(self, *, vocab_size: int) -> int:
        """Tied embedding with its output bias, and per layer eight d x d matrices with two bias vectors of 4 d."""
        assert self.d_model, "resolve() first"
        d = self.d_model
        return vocab_size * (d + 1) + self.num_layers * (8 * d * d + 8 * d)

    def learning_rate(self) -> float:
        """0.005 at width 512 (0.003 was worse, 0.007 alike), falling with the root of the width (assumption)."""
        assert self.d_model, "resolve() first"
        return float(0.005 * (512 / self.d_model) ** 0.5)


def _inner_width(d_model: int, *, per_token: int) -> int:
    """SwiGLU's three matrices cost what an inner width of 4 d costs with two (arXiv:2002.05202, section 2)."""
    step = 64 if d_model >= 128 else 8
    return max(step, -(-(8 * d_model // (3 * per_token)) // step) * step)


TRANSFORMER = Component(
    kind="transformer",
    config=TransformerConfig,
    factory="genwright.nets.transformer:Transformer",
    accepts=("tokens",),
    extra="train",
)
LSTM = Component(
    kind="lstm",
    config=LstmConfig,
    factory="genwright.nets.lstm:Lstm",
    accepts=("tokens",),
    extra="train",
)
