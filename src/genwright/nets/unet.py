"""A U-Net for small images that is told a time and a condition."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.representations import GridShape
from genwright.nets.backbones import UNetConfig
from genwright.nets.conditioning import Context
from genwright.nets.conv import STRIDE, ConvBlock, crop, group_norm, padding_for, through

HEAD_CHANNELS = 32


class MapAttention(nn.Module):
    """Self-attention between all places of a map, beside a residual path; starts as the identity.

    Source: arXiv:1706.03762, equation 1, over places as in arXiv:2006.11239, appendix B.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.num_heads = max(1, channels // HEAD_CHANNELS)
        self.norm = group_norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The map with what each place took from the others."""
        heads = self.qkv(self.norm(x)).view(len(x), 3, self.num_heads, -1, x.shape[2] * x.shape[3])
        q, k, v = (part.transpose(2, 3) for part in heads.unbind(1))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = x + self.out(mixed.transpose(2, 3).reshape(x.shape))
        return out


class UNet(nn.Module):
    """Images to images of the same size. The widths are `width` at half the side and 2 x `width` at a quarter.

    The side is halved once by pixel-unshuffle at the door, which saves the costliest resolution. The last layer starts
    at zero. Source: arXiv:1505.04597 in the residual form of arXiv:2006.11239, appendix B.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width_pixels: int,
        *,
        width: int,
        num_blocks: int,
        cond_size: int = 0,
        timed: bool = True,
    ) -> None:
        super().__init__()
        self.padding = padding_for(height, width_pixels, multiple=STRIDE)
        self.context = Context(2 * width, cond_size=cond_size, timed=timed)
        d = self.context.width
        self.door = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.fine_in = nn.ModuleList(ConvBlock(width, d_context=d) for _ in range(num_blocks))
        self.down = nn.Conv2d(4 * width, 2 * width, 1)
        self.coarse_in = nn.ModuleList(ConvBlock(2 * width, d_context=d) for _ in range(num_blocks))
        self.attention = MapAttention(2 * width)
        self.coarse_out = nn.ModuleList(ConvBlock(2 * width, d_context=d) for _ in range(num_blocks))
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.join = nn.Conv2d(2 * width, width, 1)
        self.fine_out = nn.ModuleList(ConvBlock(width, d_context=d) for _ in range(num_blocks))
        self.norm = group_norm(width)
        self.out = nn.Conv2d(width, 4 * channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        time: Float[Tensor, " b"] | None = None,
        cond: Float[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The output in float32, whatever precision the weights have."""
        told = self.context(time, cond, count=len(x))
        x = functional.pad(x.to(self.door.weight.dtype), self.padding)
        h = through(self.fine_in, self.door(functional.pixel_unshuffle(x, 2)), told)
        low = through(self.coarse_in, self.down(functional.pixel_unshuffle(h, 2)), told)
        low = through(self.coarse_out, self.attention(low), told)
        h = self.join(torch.cat((h, functional.pixel_shuffle(self.up(low), 2)), dim=1))
        h = through(self.fine_out, h, told)
        out = functional.pixel_shuffle(self.out(functional.silu(self.norm(h))), 2)
        return crop(out, self.padding).to(torch.float32)


def unet(config: UNetConfig, *, shape: GridShape) -> UNet:
    """The U-Net over images of that shape, told a time."""
    width, num_blocks = config.sizes()
    sizes = (shape.channels, shape.height, shape.width)
    return UNet(*sizes, width=width, num_blocks=num_blocks, cond_size=shape.cond_size)
