"""What a net over tokens offers to families: a training loss, logits, and a cache for one-token steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genwright.nets.loss import linear_cross_entropy, linear_token_nll


@dataclass(frozen=True)
class NetLoss:
    """Mean nats per weighted token, and what the net adds of its own (0 where it adds nothing)."""

    nll: Float[Tensor, ""]
    auxiliary: Float[Tensor, ""]


@runtime_checkable
class Cache(Protocol):
    """The past of several rows. Rows 0..n-1 are in use; `step` feeds one token to each of the first n.

    `bounded` says that a row holds at most the `max_tokens` it was made for.
    """

    bounded: bool

    def prefill(self, row: int, /, *, ids: Sequence[int]) -> None: ...
    def step(self, ids: Int[Tensor, " n"], /) -> Float[Tensor, "n v"]: ...
    def move(self, source: int, /, *, target: int) -> None: ...
    def length(self, row: int, /) -> int: ...


class TokenNet(nn.Module, ABC):
    """A causal net over token ids. `forward` is the training path, so that wrappers with hooks see it."""

    vocab_size: int
    d_model: int

    @abstractmethod
    def features(self, ids: Int[Tensor, "b t"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, ""]]:
        """The last hidden states, and the net's auxiliary loss."""

    @abstractmethod
    def head(self) -> tuple[Float[Tensor, "v d"], Float[Tensor, " v"] | None]:
        """The output matrix and bias."""

    @abstractmethod
    def new_cache(self, num_rows: int, *, max_tokens: int) -> Cache:
        """An empty cache for that many rows of at most that many tokens."""

    @abstractmethod
    def compile_blocks(self) -> None:
        """Compiles in place what gains by it."""

    def forward(
        self,
        ids: Int[Tensor, "b t"],
        targets: Int[Tensor, "b t"],
        weights: Float[Tensor, "b t"] | None = None,
    ) -> NetLoss:
        """The mean negative log-likelihood of `targets`, weighted where `weights` is given."""
        hidden, auxiliary = self.features(ids)
        weight, bias = self.head()
        flat = None if weights is None else weights.flatten()
        nll = linear_cross_entropy(hidden.flatten(0, 1), weight, bias, targets.flatten(), flat)
        return NetLoss(nll, auxiliary)

    def logits(self, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t v"]:
        """Unnormalised log-probabilities of the next token after each position."""
        weight, bias = self.head()
        return nn.functional.linear(self.features(ids)[0], weight, bias)

    @torch.no_grad()
    def token_nll(
        self, ids: Int[Tensor, "b t"], targets: Int[Tensor, "b t"], counted: Bool[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t"]:
        """Nats of each target, in float32; 0, and no logits, for those that are not counted."""
        hidden, _ = self.features(ids)
        weight, bias = self.head()
        if counted is None:
            return linear_token_nll(hidden.flatten(0, 1), weight, bias, targets.flatten()).view_as(targets)
        nats = torch.zeros(targets.shape, device=targets.device)
        if counted.any():
            nats[counted] = linear_token_nll(hidden[counted], weight, bias, targets[counted])
        return nats
