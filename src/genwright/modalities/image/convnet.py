"""The one small convolutional net that pictures are measured with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genwright.modalities.image.pixels import Levels

LONGEST = 64
ROWS_AT_ONCE = 256
DETAIL_GAIN, DETAIL_MOST = 30.0, 2.0


class ConvNet(nn.Module):
    """Three convolutions that halve the sides, `features` numbers, and what follows from them.

    With `detail` it also sees how far each pixel is from the mean around it, made 30 times larger: a net that has few
    steps to learn does not find faint noise otherwise.
    """

    def __init__(
        self, channels: int, outputs: int, *, width: int = 32, features: int = 128, detail: bool = False
    ) -> None:
        super().__init__()
        self.detail = detail
        self.body = nn.Sequential(
            nn.Conv2d(channels * (1 + detail), width, 5, 2, 2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * width, features),
        )
        self.head = nn.Linear(features, outputs)

    def features(self, x: Tensor) -> Tensor:
        """(n, features), before the last nonlinearity."""
        if self.detail:
            around = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            x = torch.cat((x, (DETAIL_GAIN * (x - around)).clamp(-DETAIL_MOST, DETAIL_MOST)), 1)
        out: Tensor = self.body(x)
        return out

    def told(self, features: Tensor) -> Tensor:
        """(n, outputs) of features."""
        out: Tensor = self.head(functional.relu(features))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(n, outputs) of pictures."""
        return self.told(self.features(x))


def scaled(values: Levels, /) -> Tensor:
    """Levels as numbers from -1 to 1, of at most 64 pixels a side."""
    x = torch.from_numpy(np.ascontiguousarray(values)).float() / 127.5 - 1.0
    longest = max(x.shape[2:])
    if longest <= LONGEST:
        return x
    size = [max(1, round(side * LONGEST / longest)) for side in x.shape[2:]]
    return functional.interpolate(x, size=size, mode="area")


@torch.no_grad()
def outputs_of(net: ConvNet, values: Levels, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features and outputs of pictures (n, c, h, w), a block at a time."""
    features, told = [], []
    for at in range(0, len(values), ROWS_AT_ONCE):
        found = net.features(scaled(values[at : at + ROWS_AT_ONCE]))
        features.append(found.numpy())
        told.append(net.told(found).numpy())
    return np.concatenate(features), np.concatenate(told)
