"""Encoders to a mean and a log standard deviation, and decoders back, over vectors and images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import GridShape, VectorShape
from genwright.nets.conv import ConvDecoder, ConvEncoder
from genwright.nets.mlp import Mlp


class GridEncoder(nn.Module):
    """Convolutions, then one linear layer over the whole map."""

    def __init__(self, shape: GridShape, *, d_latent: int, width: int, num_layers: int) -> None:
        super().__init__()
        size = (shape.channels, shape.height, shape.width)
        self.body = ConvEncoder(*size, width=width, num_blocks=num_layers, cond_size=shape.cond_size)
        down, across = self.body.map_size
        self.head = nn.Linear(self.body.channels * down * across, 2 * d_latent)

    def forward(self, x: Float[Tensor, "b c h w"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b z2"]:
        """Mean and log standard deviation, side by side."""
        out: Tensor = self.head(self.body(x, cond).flatten(1))
        return out.float()


class GridDecoder(nn.Module):
    """One linear layer to a map, then convolutions."""

    def __init__(
        self, shape: GridShape, *, d_latent: int, width: int, num_layers: int, normalised: bool = True
    ) -> None:
        super().__init__()
        size = (shape.channels, shape.height, shape.width)
        d_in = 2 * width
        sizes = {"d_in": d_in, "width": width, "num_blocks": num_layers, "cond_size": shape.cond_size}
        self.body = ConvDecoder(*size, normalised=normalised, **sizes)
        self.map_size = (d_in, *self.body.map_size)
        self.door = nn.Linear(d_latent, d_in * self.map_size[1] * self.map_size[2])

    def forward(self, z: Float[Tensor, "b z"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b c h w"]:
        """The mean of each entry."""
        out: Tensor = self.body(self.door(z).view(-1, *self.map_size), cond)
        return out


class VectorEncoder(nn.Module):
    """A multilayer perceptron."""

    def __init__(self, shape: VectorShape, *, d_latent: int, width: int, num_layers: int) -> None:
        super().__init__()
        self.body = Mlp(shape.size, 2 * d_latent, width=width, num_layers=num_layers, cond_size=shape.cond_size)

    def forward(self, x: Float[Tensor, "b d"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b z2"]:
        """Mean and log standard deviation, side by side."""
        out: Tensor = self.body(x, None, cond)
        return out


class VectorDecoder(nn.Module):
    """A multilayer perceptron."""

    def __init__(self, shape: VectorShape, *, d_latent: int, width: int, num_layers: int) -> None:
        super().__init__()
        self.body = Mlp(d_latent, shape.size, width=width, num_layers=num_layers, cond_size=shape.cond_size)

    def forward(self, z: Float[Tensor, "b z"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b d"]:
        """The mean of each number, and the logits of each category."""
        out: Tensor = self.body(z, None, cond)
        return out
