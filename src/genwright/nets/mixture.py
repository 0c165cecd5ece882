"""Feed-forward layers: one SwiGLU, or several with a router that picks a few per token."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.nets.lora import apply_linears


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate x) * up x). Source: arXiv:2002.05202, equation 6."""

    def __init__(self, d_model: int, *, d_ff: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """The layer's output."""
        gate, up = apply_linears(x, self.gate_proj, self.up_proj)
        out: Tensor = self.down_proj(functional.silu(gate) * up)
        return out


class MixtureOfExperts(nn.Module):
    """Each token goes to its `per_token` best experts, weighted by their renormalised router probabilities.

    Source: Mixtral, arXiv:2401.04088, section 2.1. `balance` is the load-balancing loss of the last call: experts x
    sum of (share of tokens sent, mean probability), Switch Transformers, arXiv:2101.03961, equation 4.
    """

    def __init__(self, d_model: int, *, d_ff: int, num_experts: int, per_token: int) -> None:
        super().__init__()
        self.per_token = min(per_token, num_experts)
        self.gate = nn.Linear(d_model, num_experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(d_model, d_ff=d_ff) for _ in range(num_experts))
        self.balance = torch.zeros(())

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """The layer's output; leaves the balance loss behind."""
        flat = x.reshape(-1, x.shape[-1])
        probabilities = self.gate(flat).float().softmax(-1)
        top, chosen = probabilities.topk(self.per_token, dim=-1)
        weights = (top / top.sum(-1, keepdim=True)).to(x.dtype)
        sent = functional.one_hot(chosen, len(self.experts)).sum(1).float().mean(0) / self.per_token
        self.balance = len(self.experts) * (sent * probabilities.mean(0)).sum()
        out = torch.zeros_like(flat)
        for index, expert in enumerate(self.experts):
            token, place = (chosen == index).nonzero(as_tuple=True)
            out = out.index_add(0, token, expert(flat[token]) * weights[token, place, None])
        return out.view_as(x)
