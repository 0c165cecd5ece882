"""Convolutional encoder and decoder of small images, with or without norms."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.nets.conditioning import Context, Modulation

# Each side is halved once by pixel-unshuffle at the door and once by a convolution.
STRIDE = 4
GROUP_CHANNELS = 16


def group_norm(channels: int, /) -> nn.GroupNorm:
    """A GroupNorm with groups of 16 channels, or of all where that does not divide. Source: arXiv:1803.08494."""
    return nn.GroupNorm(channels // GROUP_CHANNELS if channels % GROUP_CHANNELS == 0 else 1, channels)


def padding_for(height: int, width: int, /, *, multiple: int) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) that make both sides multiples of `multiple`."""
    down, across = -height % multiple, -width % multiple
    return across // 2, across - across // 2, down // 2, down - down // 2


def crop(x: Float[Tensor, "b c h w"], padding: tuple[int, int, int, int], /) -> Float[Tensor, "b c i j"]:
    """`x` without that padding."""
    left, right, top, bottom = padding
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


class ConvBlock(nn.Module):
    """x + conv(silu(conv(silu(norm(x))))), the middle scaled and shifted by the context; starts as the identity.

    Without norms it is the block of arXiv:2501.05441, section 3.3 (last convolution at zero, no norm).
    """

    def __init__(self, channels: int, *, d_context: int = 0, normalised: bool = True) -> None:
        super().__init__()
        self.norm_in = group_norm(channels) if normalised else nn.Identity()
        self.norm_mid = group_norm(channels) if normalised else nn.Identity()
        self.conv_in = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = Modulation(d_context, channels) if d_context else None
        nn.init.zeros_(self.conv_out.weight)
        assert self.conv_out.bias is not None
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, x: Float[Tensor, "b c h w"], told: Float[Tensor, "b d"] | None) -> Float[Tensor, "b c h w"]:
        """The block's output."""
        h = self.norm_mid(self.conv_in(functional.silu(self.norm_in(x))))
        if self.modulation is not None and told is not None:
            h = self.modulation(h, told)
        out: Tensor = x + self.conv_out(functional.silu(h))
        return out


def through(blocks: nn.ModuleList, h: Tensor, told: Tensor | None, /) -> Tensor:
    """The blocks one after another."""
    for block in blocks:
        h = block(h, told)
    return h


class ConvEncoder(nn.Module):
    """Images to maps of a quarter of their side; the widths are `width` at half and 2 x `width` at a quarter."""

    def __init__(
        self,
        channels: int,
        height: int,
        width_pixels: int,
        *,
        width: int,
        num_blocks: int,
        cond_size: int = 0,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.padding = padding_for(height, width_pixels, multiple=STRIDE)
        self.map_size = (-(-height // STRIDE), -(-width_pixels // STRIDE))
        self.channels = 2 * width
        self.context = Context(width, cond_size=cond_size)
        d = self.context.width
        self.door = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.fine = nn.ModuleList(ConvBlock(width, d_context=d, normalised=normalised) for _ in range(num_blocks))
        self.down = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        coarse = (ConvBlock(2 * width, d_context=d, normalised=normalised) for _ in range(num_blocks))
        self.coarse = nn.ModuleList(coarse)

    def forward(
        self, x: Float[Tensor, "b c h w"], cond: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b d i j"]:
        """The map."""
        told = self.context(None, cond, count=len(x))
        x = functional.pad(x.to(self.door.weight.dtype), self.padding)
        h = self.door(functional.pixel_unshuffle(x, 2))
        h = through(self.fine, h, told)
        return functional.silu(through(self.coarse, self.down(h), told))


class ConvDecoder(nn.Module):
    """Maps of a quarter of the side to images: the encoder run backwards. The output is in float32."""

    def __init__(
        self,
        channels: int,
        height: int,
        width_pixels: int,
        *,
        d_in: int,
        width: int,
        num_blocks: int,
        cond_size: int = 0,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.padding = padding_for(height, width_pixels, multiple=STRIDE)
        self.map_size = (-(-height // STRIDE), -(-width_pixels // STRIDE))
        self.context = Context(width, cond_size=cond_size)
        d = self.context.width
        self.door = nn.Conv2d(d_in, 2 * width, 3, padding=1)
        coarse = (ConvBlock(2 * width, d_context=d, normalised=normalised) for _ in range(num_blocks))
        self.coarse = nn.ModuleList(coarse)
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.fine = nn.ModuleList(ConvBlock(width, d_context=d, normalised=normalised) for _ in range(num_blocks))
        self.out = nn.Conv2d(width, 4 * channels, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "b d i j"], cond: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """The image."""
        told = self.context(None, cond, count=len(x))
        h = self.door(x.to(self.door.weight.dtype))
        h = through(self.coarse, h, told)
        h = through(self.fine, functional.pixel_shuffle(self.up(h), 2), told)
        h = functional.pixel_shuffle(self.out(functional.silu(h)), 2)
        return crop(h, self.padding).to(torch.float32)
