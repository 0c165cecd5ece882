"""What a net is told besides its input: a condition vector, and a time."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

DROP_SHARE = 0.1
MAX_FREQUENCY = 1000.0


class ConditionEmbedding(nn.Module):
    """A condition as a hidden vector; a learned one stands for "none".

    Rows that are NaN, and all rows where there is no condition, get the learned vector. While training so does a share
    `drop` of all rows, which makes one net conditional and unconditional at once, so that a sampler can guide.
    Source: classifier-free guidance, arXiv:2207.12598, section 3.1.
    """

    def __init__(self, cond_size: int, width: int, *, drop: float = DROP_SHARE) -> None:
        super().__init__()
        self.drop = drop
        self.linear = nn.Linear(cond_size, width)
        self.none = nn.Parameter(torch.zeros(width))

    def forward(self, cond: Float[Tensor, "b k"] | None, *, count: int) -> Float[Tensor, "b d"]:
        """The hidden vector of each of `count` rows."""
        if cond is None:
            return self.none.expand(count, -1)
        absent = cond.isnan().any(-1)
        if self.training and self.drop:
            absent = absent | (torch.rand(count, device=cond.device) < self.drop)
        known = self.linear(cond.nan_to_num().to(self.none.dtype))
        return torch.where(absent[:, None], self.none, known)


class TimeEmbedding(nn.Module):
    """A number as a hidden vector: sines and cosines at frequencies from 1 to 1000, then two layers.

    Source: arXiv:2006.11239, section 4, after arXiv:1706.03762, section 3.5.
    """

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        half = max(1, min(width, 256) // 2)
        spread = torch.exp(torch.linspace(0.0, math.log(MAX_FREQUENCY), half))
        self.register_buffer("frequencies", spread, persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """The hidden vector of each time."""
        angles = time.float()[:, None] * self.frequencies.float()
        weight = self.layers[0].weight
        assert isinstance(weight, Tensor)
        out: Tensor = self.layers(torch.cat((angles.cos(), angles.sin()), dim=-1).to(weight.dtype))
        return out


class Context(nn.Module):
    """Time and condition together as one hidden vector, for nets that may have both, either or none."""

    def __init__(self, width: int, *, cond_size: int = 0, timed: bool = False) -> None:
        super().__init__()
        self.width = width if timed or cond_size else 0
        self.time = TimeEmbedding(width) if timed else None
        self.cond = ConditionEmbedding(cond_size, width) if cond_size else None

    def forward(
        self, time: Float[Tensor, " b"] | None, cond: Float[Tensor, "b k"] | None, *, count: int
    ) -> Float[Tensor, "b d"] | None:
        """The sum of what there is; None where the net is told nothing."""
        told: Tensor | None = None
        if self.time is not None and time is not None:
            told = self.time(time)
        if self.cond is not None:
            embedded = self.cond(cond, count=count)
            told = embedded if told is None else told + embedded
        return told


class Modulation(nn.Module):
    """x (1 + scale) + shift, with scale and shift read from a hidden vector; starts as the identity.

    Source: FiLM, arXiv:1709.07871, equation 1, started at zero as in arXiv:2212.09748, section 3.2.
    """

    def __init__(self, d_context: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_context, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "b ..."], told: Float[Tensor, "b d"]) -> Float[Tensor, "b ..."]:
        """`x` with channels in the second place, scaled and shifted."""
        scale, shift = self.linear(nn.functional.silu(told)).chunk(2, dim=-1)
        shape = (*scale.shape, *([1] * (x.ndim - 2)))
        return torch.addcmul(shift.view(shape), x, 1.0 + scale.view(shape))
