"""A causal transformer in the Llama layout; parameter names are those of the exported folder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from genwright.nets.attention import (
    AttentionKind,
    cached_attention,
    causal_attention,
    extended_attention,
    packed_attention,
    rotary_table,
    rotate,
)
from genwright.nets.config import TransformerConfig
from genwright.nets.lora import apply_linears
from genwright.nets.mixture import FeedForward, MixtureOfExperts
from genwright.nets.net import TokenNet
from genwright.nets.norm import RmsNorm

EMBEDDING_STD = 0.02


class Attention(nn.Module):
    """Grouped-query attention with rotary positions and, where asked, normalised queries and keys.

    Source: GQA arXiv:2305.13245; query-key norm as in Qwen3, arXiv:2505.09388, section 2.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d, _, heads, kv_heads, _ = config.shape()
        self.head_dim = d // heads
        self.kind: AttentionKind = config.attention
        self.q_proj = nn.Linear(d, d, bias=False)
        self.k_proj = nn.Linear(d, kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(d, kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(d, d, bias=False)
        if config.qk_norm:
            self.q_norm: nn.Module = RmsNorm(self.head_dim, eps=config.norm_eps)
            self.k_norm: nn.Module = RmsNorm(self.head_dim, eps=config.norm_eps)
        else:
            self.q_norm, self.k_norm = nn.Identity(), nn.Identity()

    def project(
        self, x: Float[Tensor, "b t d"], cos: Float[Tensor, "*c t e"], sin: Float[Tensor, "*c t e"]
    ) -> tuple[Float[Tensor, "b h t e"], Float[Tensor, "b g t e"], Float[Tensor, "b g t e"]]:
        """Queries, keys (both turned) and values, heads in front."""
        split = (*x.shape[:2], -1, self.head_dim)
        queries, keys, values = apply_linears(x, self.q_proj, self.k_proj, self.v_proj)
        q = self.q_norm(queries.view(split)).transpose(1, 2)
        k = self.k_norm(keys.view(split)).transpose(1, 2)
        return rotate(q, cos, sin), rotate(k, cos, sin), values.view(split).transpose(1, 2)

    def forward(
        self, x: Float[Tensor, "b t d"], cos: Tensor, sin: Tensor, lengths: Sequence[int] | None = None
    ) -> Float[Tensor, "b t d"]:
        """Causal self-attention over the whole sequence, or within those that stand end to end."""
        q, k, v = self.project(x, cos, sin)
        if lengths is None:
            mixed = causal_attention(q, k, v, kind=self.kind)
        else:
            mixed = packed_attention(q, k, v, lengths=lengths, kind=self.kind)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(x.shape))
        return out


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a residual path."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d, _, _, _, d_ff = config.shape()
        self.input_layernorm = RmsNorm(d, eps=config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(d, eps=config.norm_eps)
        self.mlp: FeedForward | MixtureOfExperts
        if config.num_experts:
            self.mlp = MixtureOfExperts(
                d, d_ff=d_ff, num_experts=config.num_experts, per_token=config.num_experts_per_token
            )
        else:
            self.mlp = FeedForward(d, d_ff=d_ff)
        self.dropout = config.dropout

    def forward(
        self, x: Float[Tensor, "b t d"], cos: Tensor, sin: Tensor, lengths: Sequence[int] | None = None
    ) -> Float[Tensor, "b t d"]:
        """The block's output."""
        x = x + self.drop(self.self_attn(self.input_layernorm(x), cos, sin, lengths))
        return x + self.drop(self.mlp(self.post_attention_layernorm(x)))

    def drop(self, x: Tensor) -> Tensor:
        """`x` with dropout while training."""
        return functional.dropout(x, self.dropout, self.training) if self.dropout else x


class Transformer(TokenNet):
    """A stack of blocks between an embedding and a norm with a linear head.

    With `checkpointing` a block's activations are made again in the backward pass, not kept.
    """

    checkpointing = False

    def __init__(self, config: TransformerConfig, *, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        d, layers, _, _, _ = config.shape()
        self.d_model = d
        self.embed_tokens = nn.Embedding(vocab_size, d)
        self.layers = nn.ModuleList(Block(config) for _ in range(layers))
        self.norm = RmsNorm(d, eps=config.norm_eps)
        self.lm_head = None if config.tied_head else nn.Linear(d, vocab_size, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """Matrices at 1/sqrt(fan in); what writes into the residual path starts at zero (muP, arXiv:2203.03466)."""
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)
            elif name.startswith(("embed_tokens", "lm_head")):
                nn.init.normal_(parameter, std=EMBEDDING_STD)
                parameter.is_embedding = True  # type: ignore[attr-defined]
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)

    def features(self, ids: Int[Tensor, "b t"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, ""]]:
        """The last hidden states after the final norm, and the experts' balance loss."""
        x = self._states(ids, torch.arange(ids.shape[1], device=ids.device), lengths=None)
        return x, self._balance(x)

    def packed_features(self, ids: Int[Tensor, " t"], *, lengths: Sequence[int]) -> Float[Tensor, "t d"]:
        """The last hidden states of sequences that stand end to end; positions begin anew in each."""
        positions = torch.cat([torch.arange(length, device=ids.device) for length in lengths])
        return self._states(ids[None], positions, lengths=lengths)[0]

    def _states(self, ids: Tensor, positions: Tensor, *, lengths: Sequence[int] | None) -> Tensor:
        x = self.embed_tokens(ids)
        x = functional.dropout(x, self.config.dropout, self.training) if self.config.dropout else x
        cos, sin = self.rotary(positions, dtype=x.dtype)
        for block in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, cos, sin, lengths, use_reentrant=False)
            else:
                x = block(x, cos, sin, lengths)
        out: Tensor = self.norm(x)
        return out

    def rotary(self, positions: Int[Tensor, "*b"], *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The rotary table of those positions."""
        head_dim = self.d_model // self.config.shape()[2]
        return rotary_table(positions, head_dim=head_dim, theta=self.config.rope_theta, dtype=dtype)

    def _balance(self, x: Tensor) -> Tensor:
        routers = [module for module in self.modules() if isinstance(module, MixtureOfExperts)]
        if not routers:
            return torch.zeros((), device=x.device)
        return self.config.balance_weight * torch.stack([router.balance for router in routers]).mean()

    def head(self) -> tuple[Float[Tensor, "v d"], None]:
        """The output matrix: the embedding's where it is tied."""
        return (self.embed_tokens.weight if self.lm_head is None else self.lm_head.weight), None

    def compile_blocks(self) -> None:
        """Compiles each block; they share one compiled graph, and embedding and loss stay deterministic outside."""
        if self.config.num_experts:
            return  # routing has data-dependent shapes: a graph break per expert costs more than it gains
        for block in self.layers:
            block.compile(dynamic=False)

    def new_cache(self, num_rows: int, *, max_tokens: int) -> KeyValueCache:
        """An empty key-value cache."""
        return KeyValueCache(self, num_rows=num_rows, max_tokens=max_tokens)


class KeyValueCache:
    """Keys and values of every layer for several rows, each of its own length."""

    bounded = True

    def __init__(self, net: Transformer, *, num_rows: int, max_tokens: int) -> None:
        _, layers, heads, kv_heads, _ = net.config.shape()
        weight = net.embed_tokens.weight
        size = (layers, 2, num_rows, kv_heads, max_tokens, net.d_model // heads)
        self._net = net
        self._store = torch.zeros(size, dtype=weight.dtype, device=weight.device)
        self._lengths = torch.zeros(num_rows, dtype=torch.long, device=weight.device)

    def length(self, row: int, /) -> int:
        """How many tokens the row holds."""
        return int(self._lengths[row])

    def move(self, source: int, /, *, target: int) -> None:
        """Copies one row's past over another's."""
        used = self.length(source)
        self._store[:, :, target, :, :used] = self._store[:, :, source, :, :used]
        self._lengths[target] = self._lengths[source]

    @torch.no_grad()
    def prefill(self, row: int, /, *, ids: Sequence[int]) -> None:
        """Replaces the row's past by `ids`."""
        self._lengths[row] = len(ids)
        if not ids:
            return
        tokens = torch.tensor([list(ids)], device=self._store.device)
        x = self._net.embed_tokens(tokens)
        cos, sin = self._net.rotary(torch.arange(len(ids), device=x.device), dtype=x.dtype)
        for layer, block in enumerate(self._net.layers):
            assert isinstance(block, Block)
            q, k, v = block.self_attn.project(block.input_layernorm(x), cos, sin)
            self._store[layer, 0, row, :, : len(ids)] = k[0]
            self._store[layer, 1, row, :, : len(ids)] = v[0]
            mixed = causal_attention(q, k, v, kind=block.self_attn.kind).transpose(1, 2).reshape(x.shape)
            x = x + block.self_attn.o_proj(mixed)
            x = x + block.mlp(block.post_attention_layernorm(x))

    def truncate(self, row: int, /, *, length: int) -> None:
        """Forgets what the row holds beyond its first `length` tokens."""
        self._lengths[row] = length

    @torch.no_grad()
    def extend(self, ids: Int[Tensor, "n m"], /) -> Float[Tensor, "n m v"]:
        """Logits after each of `m` tokens that are fed to each of the first n rows at once."""
        n, count = ids.shape
        positions = self._lengths[:n, None] + torch.arange(count, device=ids.device)
        rows = torch.arange(n, device=ids.device)[:, None]
        self._lengths[:n] += count
        reach = int(self._lengths[:n].max())
        x = self._net.embed_tokens(ids)
        cos, sin = self._net.rotary(positions, dtype=x.dtype)
        for layer, block in enumerate(self._net.layers):
            assert isinstance(block, Block)
            q, k, v = block.self_attn.project(block.input_layernorm(x), cos[:, None], sin[:, None])
            keys, values = self._store[layer, 0], self._store[layer, 1]
            keys[rows, :, positions] = k.transpose(1, 2)
            values[rows, :, positions] = v.transpose(1, 2)
            mixed = extended_attention(q, keys[:n, :, :reach], values[:n, :, :reach], positions=positions)
            x = x + block.self_attn.o_proj(mixed.transpose(1, 2).reshape(x.shape))
            x = x + block.mlp(block.post_attention_layernorm(x))
        weight, _ = self._net.head()
        return functional.linear(self._net.norm(x), weight)

    @torch.no_grad()
    def step(self, ids: Int[Tensor, " n"], /) -> Float[Tensor, "n v"]:
        """Logits after feeding one token to each of the first n rows."""
        n = len(ids)
        positions = self._lengths[:n].clone()
        rows = torch.arange(n, device=ids.device)
        self._lengths[:n] += 1
        reach = int(self._lengths[:n].max())
        x = self._net.embed_tokens(ids)[:, None]
        cos, sin = self._net.rotary(positions, dtype=x.dtype)
        table = (cos[:, None, None], sin[:, None, None])
        for layer, block in enumerate(self._net.layers):
            assert isinstance(block, Block)
            q, k, v = block.self_attn.project(block.input_layernorm(x), *table)
            keys, values = self._store[layer, 0], self._store[layer, 1]
            keys[rows, :, positions] = k[:, :, 0]
            values[rows, :, positions] = v[:, :, 0]
            mixed = cached_attention(q[:, :, 0], keys[:n, :, :reach], values[:n, :, :reach], lengths=self._lengths[:n])
            x = x + block.self_attn.o_proj(mixed.reshape(n, 1, -1))
            x = x + block.mlp(block.post_attention_layernorm(x))
        weight, _ = self._net.head()
        return functional.linear(self._net.norm(x[:, 0]), weight)
