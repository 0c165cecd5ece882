"""A transformer over the patches of an image that is told a time and a condition. Source: DiT, arXiv:2212.09748."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.representations import GridShape
from genwright.nets.backbones import DitConfig
from genwright.nets.conditioning import Context
from genwright.nets.conv import crop, padding_for
from genwright.nets.norm import RmsNorm

HEAD_WIDTH = 32
PLACE_STD = 1.0
NORM_EPS = 1e-6


class DitBlock(nn.Module):
    """Attention and a perceptron, each scaled, shifted and gated by the context; starts as the identity.

    Source: the adaLN-zero block, arXiv:2212.09748, section 3.2; queries and keys are normalised (arXiv:2302.05442).
    """

    def __init__(self, width: int, *, d_context: int) -> None:
        super().__init__()
        self.num_heads = max(1, width // HEAD_WIDTH)
        self.norm_attention, self.norm_mlp = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.q_norm, self.k_norm = (RmsNorm(width // self.num_heads, eps=NORM_EPS) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.modulation = _zero(nn.Linear(d_context, 6 * width))

    def forward(self, x: Float[Tensor, "b t d"], told: Float[Tensor, "b 1 c"]) -> Float[Tensor, "b t d"]:
        """The block's output."""
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = self.modulation(told).chunk(6, dim=-1)
        x = x + gate * self._attend(torch.addcmul(shift, self.norm_attention(x), 1.0 + scale))
        out: Tensor = x + gate_mlp * self.mlp(torch.addcmul(shift_mlp, self.norm_mlp(x), 1.0 + scale_mlp))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        split = (*x.shape[:2], 3, self.num_heads, -1)
        q, k, v = self.qkv(x).view(split).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return out


class Dit(nn.Module):
    """Images to images of the same size, patch by patch. The last layer starts at zero."""

    def __init__(self, config: DitConfig, *, shape: GridShape) -> None:
        super().__init__()
        width, num_layers = config.sizes()
        self.patch = config.patch
        self.padding = padding_for(shape.height, shape.width, multiple=config.patch)
        self.rows = -(-shape.height // config.patch)
        entries = shape.channels * config.patch**2
        self.context = Context(width, cond_size=shape.cond_size, timed=True)
        self.door = nn.Linear(entries, width)
        places = self.rows * -(-shape.width // config.patch)
        self.place = nn.Parameter(PLACE_STD * torch.randn(places, width))
        self.place.is_embedding = True  # type: ignore[attr-defined]
        self.layers = nn.ModuleList(DitBlock(width, d_context=width) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = _zero(nn.Linear(width, 2 * width))
        self.out = _zero(nn.Linear(width, entries))

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        time: Float[Tensor, " b"] | None = None,
        cond: Float[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The output in float32, whatever precision the weights have."""
        told = self.context(time, cond, count=len(x))
        assert told is not None
        told = functional.silu(told)[:, None]
        x = functional.pad(x.to(self.door.weight.dtype), self.padding)
        h = self.door(functional.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)) + self.place
        for layer in self.layers:
            h = layer(h, told)
        shift, scale = self.modulation(told).chunk(2, dim=-1)
        h = self.out(torch.addcmul(shift, self.norm(h), 1.0 + scale))
        out = h.transpose(1, 2).reshape(len(x), h.shape[2], self.rows, -1)
        return crop(functional.pixel_shuffle(out, self.patch), self.padding).to(torch.float32)


def dit(config: DitConfig, *, shape: GridShape) -> Dit:
    """The transformer over images of that shape."""
    return Dit(config, shape=shape)


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
