"""Rotary positions and causal attention with grouped key-value heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

AttentionKind = Literal["auto", "matmul", "sdpa"]

# On the CPU, batched products beat torch's fused kernel 1.2x at short lengths; their memory grows with the square.
MATMUL_MAX_TOKENS = 1024


def rotary_table(
    positions: Int[Tensor, "*b"], /, *, head_dim: int, theta: float, dtype: torch.dtype
) -> tuple[Float[Tensor, "*b h"], Float[Tensor, "*b h"]]:
    """Cosine and sine for each position, both halves of a head alike; made in float32.

    Source: RoFormer, arXiv:2104.09864, equation 34, in the half-split order of the Llama layout.
    """
    exponents = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32) / head_dim
    angles = positions.float()[..., None] * theta**-exponents
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Float[Tensor, "... h"], cos: Float[Tensor, "... h"], sin: Float[Tensor, "... h"]) -> Tensor:
    """`x` turned by its positions' angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((-second, first), dim=-1), sin)


def causal_attention(
    q: Float[Tensor, "b h t e"],
    k: Float[Tensor, "b g t e"],
    v: Float[Tensor, "b g t e"],
    *,
    kind: AttentionKind = "auto",
) -> Float[Tensor, "b h t e"]:
    """Each position attends to itself and what came before; `h` is a multiple of `g`."""
    if kind == "auto":
        kind = "matmul" if q.device.type == "cpu" and q.shape[2] <= MATMUL_MAX_TOKENS else "sdpa"
    if kind == "sdpa":
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])
    batch, heads, length, width = q.shape
    groups = k.shape[1]
    folded = q.reshape(batch * groups, -1, width)
    keys = k.reshape(batch * groups, length, width).transpose(1, 2)
    ahead = torch.full((length, length), float("-inf"), dtype=q.dtype, device=q.device).triu(1)
    scores = torch.baddbmm(ahead.repeat(heads // groups, 1), folded, keys, alpha=width**-0.5)
    weights = scores.softmax(-1)
    mixed = torch.bmm(weights, v.reshape(batch * groups, length, width))
    return mixed.view(batch, heads, length, width)


def packed_attention(
    q: Float[Tensor, "b h t e"],
    k: Float[Tensor, "b g t e"],
    v: Float[Tensor, "b g t e"],
    *,
    lengths: Sequence[int],
    kind: AttentionKind = "auto",
) -> Float[Tensor, "b h t e"]:
    """Causal attention within each of the sequences that stand end to end: block-diagonal, nothing is masked away."""
    pieces = zip(*(torch.split(x, list(lengths), dim=2) for x in (q, k, v)), strict=True)
    return torch.cat([causal_attention(*piece, kind=kind) for piece in pieces], dim=2)


def extended_attention(
    q: Float[Tensor, "n h t e"],
    k: Float[Tensor, "n g m e"],
    v: Float[Tensor, "n g m e"],
    *,
    positions: Int[Tensor, "n t"],
) -> Float[Tensor, "n h t e"]:
    """Several queries per row, each against the cached positions of its row up to its own."""
    reach = torch.arange(k.shape[2], device=q.device)
    seen = reach[None, None, None] <= positions[:, None, :, None]
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=q.shape[1] != k.shape[1])


def cached_attention(
    q: Float[Tensor, "n h e"],
    k: Float[Tensor, "n g m e"],
    v: Float[Tensor, "n g m e"],
    *,
    lengths: Int[Tensor, " n"],
) -> Float[Tensor, "n h e"]:
    """One query per row against the first `lengths` cached positions of that row."""
    rows, heads, width = q.shape
    grouped = (q * width**-0.5).view(rows, k.shape[1], -1, width)
    scores = grouped @ k.transpose(-1, -2)
    beyond = torch.arange(k.shape[2], device=q.device)[None] >= lengths[:, None]
    weights = scores.masked_fill(beyond[:, None, None], float("-inf")).softmax(-1)
    mixed: Tensor = weights @ v
    return mixed.view(rows, heads, width)
