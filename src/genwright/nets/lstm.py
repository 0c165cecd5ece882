"""A stack of LSTM layers with the same interface as the transformer; its cache is its state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.nets.config import LstmConfig
from genwright.nets.net import TokenNet


class Lstm(TokenNet):
    """Embedding, LSTM layers with dropout between them, and a head tied to the embedding.

    Source: Merity et al., arXiv:1708.02182 (weight tying, dropout on embedding, layers and output);
    forget-gate bias of 1, Jozefowicz et al. 2015. Not from there: no dropped weights.
    """

    def __init__(self, config: LstmConfig, *, vocab_size: int) -> None:
        super().__init__()
        assert config.d_model, "resolve() first"
        self.config = config
        self.vocab_size = vocab_size
        self.d_model = d = config.d_model
        self.embed_tokens = nn.Embedding(vocab_size, d)
        self.layers = nn.ModuleList(nn.LSTM(d, d, batch_first=True) for _ in range(config.num_layers))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.embed_tokens.weight, std=self.d_model**-0.5)
        for parameter in (self.embed_tokens.weight, self.bias):
            parameter.is_embedding = True  # type: ignore[attr-defined]
        for layer in self.layers:
            assert isinstance(layer, nn.LSTM)
            initialise_gates(layer)

    def embed(self, ids: Int[Tensor, "n t"]) -> Float[Tensor, "n t d"]:
        """Embeddings at variance 1: the tied matrix is kept at the scale the head needs."""
        scaled: Tensor = self.embed_tokens(ids) * self.d_model**0.5
        return scaled

    def features(self, ids: Int[Tensor, "b t"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, ""]]:
        """The last layer's outputs from a zero state; no auxiliary loss."""
        x = self._drop(self.embed(ids))
        for layer in self.layers:
            x = self._drop(layer(x)[0])
        return x, torch.zeros((), device=x.device)

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.config.dropout, self.training) if self.config.dropout else x

    def head(self) -> tuple[Float[Tensor, "v d"], Float[Tensor, " v"]]:
        """The embedding and the output bias."""
        return self.embed_tokens.weight, self.bias

    def compile_blocks(self) -> None:
        """Nothing: the recurrent kernel is one call already."""

    def new_cache(self, num_rows: int, *, max_tokens: int) -> RecurrentCache:
        """Zero states; `max_tokens` does not bind, since the state has one size."""
        del max_tokens
        return RecurrentCache(self, num_rows=num_rows)


@torch.no_grad()
def initialise_gates(layer: nn.LSTM, /) -> None:
    """Gates see inputs of variance 1 from the start; with PyTorch's own ranges training stays at unigrams."""
    gates, width = dict(layer.named_parameters()), layer.hidden_size
    nn.init.normal_(gates["weight_ih_l0"], std=width**-0.5)
    for block in torch.split(gates["weight_hh_l0"], width):
        nn.init.orthogonal_(block)
    gates["bias_ih_l0"][width : 2 * width].fill_(1.0)
    gates["bias_hh_l0"].zero_()
    for parameter in gates.values():
        parameter.is_embedding = True  # type: ignore[attr-defined]  # gates are no single map: AdamW, not Muon


class RecurrentCache:
    """Hidden and cell state of every layer for several rows."""

    bounded = False

    def __init__(self, net: Lstm, *, num_rows: int) -> None:
        self._net = net
        weight = net.embed_tokens.weight
        size = (net.config.num_layers, 2, num_rows, net.d_model)
        self._state = torch.zeros(size, dtype=weight.dtype, device=weight.device)
        self._lengths = [0] * num_rows

    def length(self, row: int, /) -> int:
        """How many tokens the row has seen."""
        return self._lengths[row]

    def move(self, source: int, /, *, target: int) -> None:
        """Copies one row's state over another's."""
        self._state[:, :, target] = self._state[:, :, source]
        self._lengths[target] = self._lengths[source]

    def prefill(self, row: int, /, *, ids: Sequence[int]) -> None:
        """Replaces the row's past by `ids`."""
        self._state[:, :, row] = 0
        self._lengths[row] = len(ids)
        if ids:
            self._advance(torch.tensor([list(ids)], device=self._state.device), rows=slice(row, row + 1))

    def step(self, ids: Int[Tensor, " n"], /) -> Float[Tensor, "n v"]:
        """Logits after feeding one token to each of the first n rows."""
        for row in range(len(ids)):
            self._lengths[row] += 1
        weight, bias = self._net.head()
        return functional.linear(self._advance(ids[:, None], rows=slice(0, len(ids)))[:, -1], weight, bias).detach()

    @torch.no_grad()
    def _advance(self, ids: Int[Tensor, "n t"], *, rows: slice) -> Float[Tensor, "n t d"]:
        x = self._net.embed(ids)
        for index, layer in enumerate(self._net.layers):
            state = (self._state[index, 0, None, rows].contiguous(), self._state[index, 1, None, rows].contiguous())
            x, (hidden, cell) = layer(x, state)
            self._state[index, 0, rows], self._state[index, 1, rows] = hidden[0], cell[0]
        return x
