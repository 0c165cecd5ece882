"""Generators and critics without normalisation layers, over vectors and images.

Source: arXiv:2501.05441, section 3.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import GridShape, VectorShape
from genwright.families.vae_nets import GridDecoder
from genwright.nets.conditioning import ConditionEmbedding
from genwright.nets.conv import ConvEncoder
from genwright.nets.mlp import Mlp


class GridGenerator(nn.Module):
    """Noise to images in [-1, 1]."""

    def __init__(self, shape: GridShape, *, d_latent: int, width: int, num_layers: int) -> None:
        super().__init__()
        self.body = GridDecoder(shape, d_latent=d_latent, width=width, num_layers=num_layers, normalised=False)

    def forward(self, z: Float[Tensor, "b z"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b c h w"]:
        """The images."""
        return torch.tanh(self.body(z, cond))


class VectorGenerator(nn.Module):
    """Noise to numbers and the logits of categories."""

    def __init__(self, shape: VectorShape, *, d_latent: int, width: int, num_layers: int) -> None:
        super().__init__()
        self.body = Mlp(
            d_latent,
            shape.size,
            width=width,
            num_layers=num_layers,
            cond_size=shape.cond_size,
            normalised=False,
            zero_out=False,
        )

    def forward(self, z: Float[Tensor, "b z"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, "b d"]:
        """The entries."""
        out: Tensor = self.body(z, None, cond)
        return out


class GridCritic(nn.Module):
    """Images to one number each: a linear reading of the map, and its product with the condition's vector.

    Source of the product: projection discriminator, arXiv:1802.05637, equation 3.
    """

    def __init__(self, shape: GridShape, *, width: int, num_layers: int) -> None:
        super().__init__()
        size = (shape.channels, shape.height, shape.width)
        self.body = ConvEncoder(*size, width=width, num_blocks=num_layers, normalised=False)
        down, across = self.body.map_size
        self.features = nn.Linear(self.body.channels * down * across, 2 * width)
        self.reading = Reading(2 * width, cond_size=shape.cond_size)

    def forward(self, x: Float[Tensor, "b c h w"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, " b"]:
        """How real each image looks; only differences count."""
        out: Tensor = self.reading(self.features(self.body(x).flatten(1)), cond)
        return out


class VectorCritic(nn.Module):
    """Vectors to one number each."""

    def __init__(self, shape: VectorShape, *, width: int, num_layers: int) -> None:
        super().__init__()
        self.body = Mlp(shape.size, width, width=width, num_layers=num_layers, normalised=False, zero_out=False)
        self.reading = Reading(width, cond_size=shape.cond_size)

    def forward(self, x: Float[Tensor, "b d"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, " b"]:
        """How real each vector looks; only differences count."""
        out: Tensor = self.reading(self.body(x), cond)
        return out


class Reading(nn.Module):
    """One number from features, plus their product with the condition's vector where there is one."""

    def __init__(self, width: int, *, cond_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        # The generator alone drops conditions: the pair of one condition is judged by that condition.
        self.cond = ConditionEmbedding(cond_size, width, drop=0.0) if cond_size else None

    def forward(self, features: Float[Tensor, "b d"], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, " b"]:
        """The number."""
        out: Tensor = self.linear(features)[:, 0]
        if self.cond is not None:
            told = self.cond(cond, count=len(features))
            out = out + (features * told).sum(1) * features.shape[1] ** -0.5
        return out
