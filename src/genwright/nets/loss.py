"""Cross-entropy of a linear head, in blocks of tokens, so that the logits of a whole batch never exist at once."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genwright.nets.plain import is_plain

# Assumption from one machine: 256 rows x 4,096 logits x 4 bytes stay in the last-level cache. Not tuned on GPUs.
BLOCK_LOGITS_CPU = 1 << 20
BLOCK_LOGITS_GPU = 1 << 26


def linear_cross_entropy(
    hidden: Float[Tensor, "n d"],
    weight: Float[Tensor, "v d"],
    bias: Float[Tensor, " v"] | None,
    targets: Int[Tensor, " n"],
    token_weights: Float[Tensor, " n"] | None,
) -> Float[Tensor, ""]:
    """Mean nats per token (by `token_weights` where given), differentiable in hidden, weight and bias, float32."""
    if is_plain():
        logits = functional.linear(hidden, weight, bias).float()
        nats = functional.cross_entropy(logits, targets, reduction="none")
        return (nats * _shares(targets, token_weights)).sum()
    result: Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, targets, token_weights)  # type: ignore[no-untyped-call]
    return result


def linear_token_nll(
    hidden: Float[Tensor, "n d"],
    weight: Float[Tensor, "v d"],
    bias: Float[Tensor, " v"] | None,
    targets: Int[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """Nats of each target, float32, without gradients."""
    parts = [
        _block_nll(hidden[block], weight, bias, targets[block])[0] for block in _blocks(len(targets), weight=weight)
    ]
    return torch.cat(parts)


def linear_target_log_prob(
    hidden: Float[Tensor, "n d"], weight: Float[Tensor, "v d"], targets: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Log-probability of each target, differentiable; the backward pass makes a block's logits again."""
    result: Tensor = _TargetLogProb.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return result


class _TargetLogProb(torch.autograd.Function):
    """d log p(y) / d logits = onehot(y) - p. A frozen head has no gradient."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, weight, targets)
        return -linear_token_nll(hidden, weight, None, targets)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        hidden, weight, targets = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        for block in _blocks(len(targets), weight=weight):
            _, log_probs = _block_nll(hidden[block], weight, None, targets[block])
            error = log_probs.exp_().neg_()
            error[torch.arange(len(error), device=error.device), targets[block]] += 1
            error *= grads[0][block, None]
            narrow = error.to(weight.dtype)
            torch.mm(narrow, weight, out=grad_hidden[block])
            if grad_weight is not None:
                grad_weight += narrow.t() @ hidden[block]
        return grad_hidden, _cast(grad_weight, weight.dtype), None


def _blocks(num_tokens: int, *, weight: Tensor) -> list[slice]:
    budget = BLOCK_LOGITS_CPU if weight.device.type == "cpu" else BLOCK_LOGITS_GPU
    rows = max(1, budget // weight.shape[0])
    return [slice(start, start + rows) for start in range(0, num_tokens, rows)]


def _block_nll(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Nats per token, and the log-probabilities they come from."""
    log_probs = functional.linear(hidden, weight, bias).float().log_softmax(-1)
    return -log_probs.gather(1, targets[:, None]).squeeze(1), log_probs


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradient is made in the forward pass, while a block's logits are there; backward only scales it."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        token_weights: Tensor | None,
    ) -> Tensor:
        share = _shares(targets, token_weights)
        if not any(ctx.needs_input_grad):
            return (linear_token_nll(hidden, weight, bias, targets) * share).sum()
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        # A frozen head has no gradient: half of the products are left out.
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        grad_bias = None if bias is None else torch.zeros_like(bias, dtype=torch.float32)
        for block in _blocks(len(targets), weight=weight):
            nll, log_probs = _block_nll(hidden[block], weight, bias, targets[block])
            total += (nll * share[block]).sum()
            error = log_probs.exp_()
            error[torch.arange(len(error), device=error.device), targets[block]] -= 1
            error *= share[block, None]
            if grad_bias is not None:
                grad_bias += error.sum(0)
            narrow = error.to(weight.dtype)
            torch.mm(narrow, weight, out=grad_hidden[block])
            if grad_weight is not None:
                grad_weight += narrow.t() @ hidden[block]
        ctx.save_for_backward(grad_hidden, _cast(grad_weight, weight.dtype), _cast(grad_bias, weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias = ctx.saved_tensors
        scale = grads[0]
        scaled_weight = None if weight is None else (weight * scale).to(weight.dtype)
        scaled_bias = None if bias is None else bias * scale
        return (hidden * scale).to(hidden.dtype), scaled_weight, scaled_bias, None, None


def _cast(value: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if value is None else value.to(dtype)


def _shares(targets: Tensor, token_weights: Tensor | None) -> Tensor:
    if token_weights is None:
        return torch.full((len(targets),), 1.0 / len(targets), device=targets.device)
    return token_weights.float() / token_weights.float().sum().clamp(min=1e-12)
