"""A residual multilayer perceptron that may be told a time and a condition."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.representations import VectorShape
from genwright.nets.backbones import MlpConfig
from genwright.nets.conditioning import Context, Modulation


class MlpBlock(nn.Module):
    """x + W2 silu(W1 norm(x)), the norm's output scaled and shifted by the context; starts as the identity."""

    def __init__(self, width: int, *, d_context: int = 0, normalised: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if normalised else nn.Identity()
        self.modulation = Modulation(d_context, width) if d_context else None
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Float[Tensor, "b d"], told: Float[Tensor, "b c"] | None) -> Float[Tensor, "b d"]:
        """The block's output."""
        h = self.norm(x)
        if self.modulation is not None and told is not None:
            h = self.modulation(h, told)
        out: Tensor = x + self.down(functional.silu(self.up(h)))
        return out


class Mlp(nn.Module):
    """Vectors to vectors. The last layer starts at zero unless `zero_out` says otherwise.

    `dropout` is of what each block reads and passes on.
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        *,
        width: int,
        num_layers: int,
        cond_size: int = 0,
        timed: bool = False,
        normalised: bool = True,
        zero_out: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.context = Context(width, cond_size=cond_size, timed=timed)
        self.door = nn.Linear(d_in, width)
        blocks = (MlpBlock(width, d_context=self.context.width, normalised=normalised) for _ in range(num_layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width) if normalised else nn.Identity()
        self.out = nn.Linear(width, d_out)
        if zero_out:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Float[Tensor, "b i"],
        time: Float[Tensor, " b"] | None = None,
        cond: Float[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b o"]:
        """The output in float32, whatever precision the weights have."""
        told = self.context(time, cond, count=len(x))
        h = self.door(x.to(self.door.weight.dtype))
        for block in self.blocks:
            h = block(functional.dropout(h, self.dropout, self.training), told)
        out: Tensor = self.out(functional.silu(self.norm(h)))
        return out.to(torch.float32)


def mlp(config: MlpConfig, *, shape: VectorShape) -> Mlp:
    """The perceptron over vectors of that shape, told a time."""
    width, num_layers = config.sizes()
    size, told, dropout = shape.size, shape.cond_size, config.dropout
    return Mlp(size, size, width=width, num_layers=num_layers, cond_size=told, timed=True, dropout=dropout)
