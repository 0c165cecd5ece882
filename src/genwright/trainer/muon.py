"""Muon in the precision that the machine multiplies fast; PyTorch's own always orthogonalises in bfloat16."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Muon

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Float32Muon(Muon):
    """PyTorch's Muon with Newton-Schulz in float32, matrices of one shape together.

    Where bfloat16 is emulated (CPUs without AVX512-BF16 or AMX), PyTorch's took 8.4 of the 10.1 s of a training step of
    3.4 M parameters; this one takes 0.2 s.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Moves every parameter that has a gradient."""
        del closure
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._move(parameters, group)

    def _move(self, parameters: Sequence[Tensor], group: dict[str, object]) -> None:
        rate, momentum = float(group["lr"]), float(group["momentum"])  # type: ignore[arg-type]
        looks = []
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            assert parameter.grad is not None
            state["momentum_buffer"].lerp_(parameter.grad, 1.0 - momentum)
            looks.append(parameter.grad.lerp(state["momentum_buffer"], momentum))
        updates = orthogonalise(torch.stack(looks), steps=int(group["ns_steps"]))  # type: ignore[call-overload]
        scale = 0.2 * max(parameters[0].shape) ** 0.5  # as large per entry as AdamW's: arXiv:2502.16982, section 2.2
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1.0 - rate * float(group["weight_decay"]))  # type: ignore[arg-type]
            parameter.add_(update, alpha=-rate * scale)


def orthogonalise(x: Float[Tensor, "n r c"], *, steps: int) -> Float[Tensor, "n r c"]:
    """Each matrix with its singular values moved near 1. Source: Muon (K. Jordan, 2024), quintic Newton-Schulz."""
    a, b, c = COEFFICIENTS
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
