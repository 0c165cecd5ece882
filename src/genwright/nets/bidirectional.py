"""A transformer in which every position sees every other one."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.representations import TokenShape
from genwright.nets.attention import rotary_table, rotate
from genwright.nets.backbones import BidirectionalConfig
from genwright.nets.conditioning import ConditionEmbedding
from genwright.nets.mixture import FeedForward
from genwright.nets.norm import RmsNorm

HEAD_WIDTH = 32
EMBEDDING_STD = 0.02
ROPE_THETA = 10_000.0
NORM_EPS = 1e-6


class BidirectionalBlock(nn.Module):
    """Attention with rotary positions and normalised queries and keys, and SwiGLU; starts as the identity.

    Source: the causal net's block (arXiv:2104.09864, arXiv:2002.05202) without the causal mask.
    """

    def __init__(self, d_model: int, *, dropout: float) -> None:
        super().__init__()
        self.num_heads = max(1, d_model // HEAD_WIDTH)
        self.head_dim = d_model // self.num_heads
        self.dropout = dropout
        self.norm_attention, self.norm_mlp = (RmsNorm(d_model, eps=NORM_EPS) for _ in range(2))
        self.q_norm, self.k_norm = (RmsNorm(self.head_dim, eps=NORM_EPS) for _ in range(2))
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        self.mlp = FeedForward(d_model, d_ff=8 * max(1, d_model // 3))
        for layer in (self.qkv, self.mlp.gate_proj, self.mlp.up_proj):
            nn.init.normal_(layer.weight, std=d_model**-0.5)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.mlp.down_proj.weight)

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        cos: Tensor,
        sin: Tensor,
        seen: Bool[Tensor, "b 1 1 t"] | None = None,
        causal: bool = False,
        past: list[Tensor] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """The block's output; `seen` says which positions may be looked at, `causal` only those up to one's own.

        `past` holds keys and values of the positions before, and takes up those of `x`.
        """
        split = (*x.shape[:2], 3, self.num_heads, self.head_dim)
        q, k, v = self.qkv(self.norm_attention(x)).view(split).permute(2, 0, 3, 1, 4)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        if past is not None:
            k, v = (torch.cat((old, new), dim=2) for old, new in zip(past, (k, v), strict=True)) if past else (k, v)
            past[:] = [k, v]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=causal)
        x = x + self._drop(self.out(mixed.transpose(1, 2).reshape(x.shape)))
        return x + self._drop(self.mlp(self.norm_mlp(x)))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training) if self.dropout else x


class Bidirectional(nn.Module):
    """Hidden states of all positions, given tokens of which some are masked.

    `fixed_length` gives each position an embedding of its own, for layouts in which positions have a meaning.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        d_model: int,
        num_layers: int,
        cond_size: int = 0,
        fixed_length: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.place = nn.Embedding(fixed_length, d_model) if fixed_length else None
        self.cond = ConditionEmbedding(cond_size, d_model) if cond_size else None
        self.layers = nn.ModuleList(BidirectionalBlock(d_model, dropout=dropout) for _ in range(num_layers))
        self.norm = RmsNorm(d_model, eps=NORM_EPS)
        self.head = nn.Linear(d_model, vocab_size)
        nn.init.zeros_(self.head.bias)
        for weight in (self.embedding.weight, self.head.weight, *([self.place.weight] if self.place else [])):
            nn.init.normal_(weight, std=EMBEDDING_STD)
            weight.is_embedding = True  # type: ignore[attr-defined]

    def forward(
        self,
        ids: Int[Tensor, "b t"],
        cond: Float[Tensor, "b k"] | None = None,
        seen: Bool[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """The last hidden states after the final norm."""
        x = self.embedding(ids)
        if self.place is not None:
            x = x + self.place.weight[: ids.shape[1]]
        if self.cond is not None:
            x = x + self.cond(cond, count=len(ids))[:, None]
        block = self.layers[0]
        assert isinstance(block, BidirectionalBlock)
        positions = torch.arange(ids.shape[1], device=ids.device)
        cos, sin = rotary_table(positions, head_dim=block.head_dim, theta=ROPE_THETA, dtype=x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin, None if seen is None else seen[:, None, None])
        out: Tensor = self.norm(x)
        return out

    def compile_blocks(self) -> None:
        """Compiles each block in place."""
        for layer in self.layers:
            layer.compile(dynamic=False)


def bidirectional(config: BidirectionalConfig, *, shape: TokenShape) -> Bidirectional:
    """The transformer over the tokens of that shape and one more, the mask."""
    width, num_layers = config.sizes()
    return Bidirectional(
        shape.vocab_size + 1,
        d_model=width,
        num_layers=num_layers,
        cond_size=shape.cond_size,
        fixed_length=len(shape.cells),
        dropout=config.dropout,
    )
