"""A causal transformer or LSTM that may read a vector and a condition besides the tokens before."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genwright.nets.attention import rotary_table
from genwright.nets.bidirectional import EMBEDDING_STD, NORM_EPS, ROPE_THETA, BidirectionalBlock
from genwright.nets.conditioning import ConditionEmbedding
from genwright.nets.norm import RmsNorm
from genwright.nets.recurrent import RecurrentBlock


class CausalReader(nn.Module):
    """Logits of each token, given those before and, where `d_read` is not 0, a vector that is added at every position.

    `cells` are (first id, how many) of each position where the layout is fixed. One id more than the vocabulary can be
    read: the mark before the first token, which also stands for lost ones. With `recurrent` the layers are LSTMs.
    """

    allowed: Tensor

    def __init__(
        self,
        vocab_size: int,
        *,
        d_model: int,
        num_layers: int,
        d_read: int = 0,
        cond_size: int = 0,
        cells: tuple[tuple[int, int], ...] = (),
        recurrent: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size + 1, d_model)
        self.place = nn.Embedding(len(cells), d_model) if cells else None
        self.read = nn.Linear(d_read, d_model) if d_read else None
        self.cond = ConditionEmbedding(cond_size, d_model) if cond_size else None
        block = RecurrentBlock if recurrent else BidirectionalBlock
        self.layers = nn.ModuleList(block(d_model, dropout=dropout) for _ in range(num_layers))
        self.norm = RmsNorm(d_model, eps=NORM_EPS)
        self.head = nn.Linear(d_model, vocab_size)
        nn.init.zeros_(self.head.bias)
        for weight in (self.embedding.weight, self.head.weight, *([self.place.weight] if self.place else [])):
            nn.init.normal_(weight, std=EMBEDDING_STD)
            weight.is_embedding = True  # type: ignore[attr-defined]
        allowed = torch.zeros(len(cells), vocab_size, dtype=torch.bool)
        for position, (first, count) in enumerate(cells):
            allowed[position, first : first + count] = True
        self.register_buffer("allowed", allowed, persistent=False)

    def forward(
        self, ids: Int[Tensor, "b t"], vector: Float[Tensor, "b r"] | None, cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b t v"]:
        """Float32 logits of the token at each position, `ids` being those before."""
        return self._run(ids, vector, cond, first=0, past=None)

    def states(
        self, ids: Int[Tensor, "b t"], vector: Float[Tensor, "b r"] | None, cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b t d"]:
        """The last hidden states, which the head reads."""
        return self._hidden(ids, vector, cond, first=0, past=None)

    def step(
        self,
        last: Int[Tensor, " b"],
        vector: Float[Tensor, "b r"] | None,
        cond: Float[Tensor, "b k"] | None,
        *,
        place: int,
        past: list[list[Tensor]],
    ) -> Float[Tensor, "b v"]:
        """Logits of the token at `place`; `past` (an empty list per layer at first) remembers the positions before."""
        return self._run(last[:, None], vector, cond, first=place, past=past)[:, 0]

    def _run(
        self, ids: Tensor, vector: Tensor | None, cond: Tensor | None, *, first: int, past: list[list[Tensor]] | None
    ) -> Tensor:
        x = self._hidden(ids, vector, cond, first=first, past=past)
        logits: Tensor = self.head(x).float()
        if self.place is None:
            return logits
        return logits.masked_fill(~self.allowed[first : first + ids.shape[1]], -torch.inf)

    def _hidden(
        self, ids: Tensor, vector: Tensor | None, cond: Tensor | None, *, first: int, past: list[list[Tensor]] | None
    ) -> Tensor:
        end = first + ids.shape[1]
        x = self.embedding(ids)
        if self.read is not None:
            assert vector is not None
            x = x + self.read(vector)[:, None]
        if self.cond is not None:
            x = x + self.cond(cond, count=len(ids))[:, None]
        if self.place is not None:
            x = x + self.place.weight[first:end]
        angles = self._angles(torch.arange(first, end, device=ids.device), x.dtype)
        for index, layer in enumerate(self.layers):
            x = layer(x, *angles, causal=past is None, past=None if past is None else past[index])
        states: Tensor = self.norm(x)
        return states

    def _angles(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """What attention turns its queries and keys by; nothing for LSTMs."""
        block = self.layers[0]
        if not isinstance(block, BidirectionalBlock):
            return ()
        return rotary_table(positions, head_dim=block.head_dim, theta=ROPE_THETA, dtype=dtype)
