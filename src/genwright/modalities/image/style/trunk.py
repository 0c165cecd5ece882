"""Features of VGG16, and how far two styles are apart in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import DataError
from genwright.modalities.image.pixels import Levels

# Convolutions per block, each of 3x3 and followed by a rectifier; blocks are parted by max pooling.
# Source: Simonyan and Zisserman 2015 (arXiv:1409.1556), table 1, column D.
BLOCKS = (2, 2, 3, 3, 3)
STYLE_LAYERS = ("1_1", "2_1", "3_1", "4_1", "5_1")
CONTENT_LAYER = "4_2"
MEAN_BGR = (104.00699, 116.66877, 122.67892)  # what the trunk was trained with
Grams = Sequence[Float[Tensor, "c c"]]


class Trunk(nn.Module):
    """VGG16 without its classifier, as an edge detector (HED, arXiv:1504.06375) was trained on from it; frozen."""

    def __init__(self, path: Path) -> None:
        """Reads arrays of an HDF5 file, which holds nothing that could be run.

        Raises:
            DataError: it does not hold the weights of such a trunk.
        """
        super().__init__()
        self.convs = nn.ModuleDict()
        try:
            with h5py.File(path, "r") as file:
                for block, count in enumerate(BLOCKS, 1):
                    for number in range(1, count + 1):
                        self.convs[f"{block}_{number}"] = _conv(file, block, number)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{path} does not hold the weights of a VGG16 trunk ({error})") from None
        self.requires_grad_(False)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Mapping[str, Float[Tensor, "b c i j"]]:
        """The maps after the rectifiers of the layers of style and content, of RGB from 0 to 1."""
        mean = x.new_tensor(MEAN_BGR).view(1, 3, 1, 1)
        x = x.flip(1) * 255.0 - mean
        found = {}
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "1_1":
                x = functional.max_pool2d(x, 2)
            x = functional.relu(conv(x))
            if name in STYLE_LAYERS or name == CONTENT_LAYER:
                found[name] = x
            if name == STYLE_LAYERS[-1]:
                break
        return found

    @torch.no_grad()
    def grams(self, picture: Levels, /) -> Grams:
        """The Gram matrices of the five layers of style."""
        maps = self(to_tensor(picture))
        return [gram(maps[name]) for name in STYLE_LAYERS]


def gram(maps: Float[Tensor, "1 c i j"], /) -> Float[Tensor, "c c"]:
    """Which features go together, averaged over places, so that sizes compare.

    Source: Gatys et al. 2016 (CVPR), equation 3, over the number of places.
    """
    flat = maps[0].flatten(1)
    return flat @ flat.T / flat.shape[1]


def style_distance(grams: Grams, style: Grams, /) -> float:
    """The mean over layers of |G - A| / |A| (Frobenius norms); 0 for the style itself."""
    parts = [float((g - a).norm() / a.norm().clamp_min(1e-12)) for g, a in zip(grams, style, strict=True)]
    return float(np.mean(parts))


def to_tensor(picture: Levels, /) -> Float[Tensor, "1 3 h w"]:
    """RGB from 0 to 1."""
    return torch.from_numpy(np.array(np.broadcast_to(picture, (3, *picture.shape[1:]))))[None].float() / 255.0


def _conv(file: h5py.File, block: int, number: int) -> nn.Conv2d:
    layer = "conv2d" if number == 1 else f"conv2d_{number - 1}"
    kernel, bias = (np.asarray(file[f"block{block}/layers/{layer}/vars/{at}"]) for at in (0, 1))
    height, width, d_in, d_out = kernel.shape
    conv = nn.Conv2d(d_in, d_out, (height, width), padding=1)
    conv.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).float()
    conv.bias.data = torch.from_numpy(bias).float()  # type: ignore[union-attr]
    return conv
