"""MobileNetV2 as a frozen feature net that never saw the train split; only tensors of its weights file are read."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import DataError
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files
from genwright.modalities.image.pixels import Levels

# (expansion, channels, repeats, stride) up to the 13th bottleneck.
# Source: Sandler et al. 2018 (arXiv:1801.04381), table 2.
BOTTLENECKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
STEM = 32
SHORTEST = 96
ROWS_AT_ONCE = 64
# What its training pictures, from 0 to 1, were centred and scaled by.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Bottleneck(nn.Module):
    def __init__(self, d_in: int, d_out: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = d_in * expansion
        layers: list[nn.Module] = [_block(d_in, inner, 1, 1)] if expansion > 1 else []
        layers += [_block(inner, inner, 3, stride, groups=inner)]
        self.conv = nn.Sequential(*layers, nn.Conv2d(inner, d_out, 1, bias=False), nn.BatchNorm2d(d_out))
        self.residual = stride == 1 and d_in == d_out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


def _block(d_in: int, d_out: int, size: int, stride: int, *, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(d_in, d_out, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(d_out), nn.ReLU6())


def _trunk() -> nn.Sequential:
    layers: list[nn.Module] = [_block(3, STEM, 3, 2)]
    d_in = STEM
    for expansion, channels, repeats, stride in BOTTLENECKS:
        for number in range(repeats):
            layers.append(_Bottleneck(d_in, channels, stride=stride if number == 0 else 1, expansion=expansion))
            d_in = channels
    return nn.Sequential(*layers)


class MobileNet:
    """The means over the map after the 13th bottleneck, 96 numbers, over their deviation in `reference`."""

    name = "mobilenet-v2"

    def __init__(self, source: str, *, reference: Levels) -> None:
        """Reads the weights of that source.

        Raises:
            DataError: it names no file, or none with the tensors of a MobileNetV2.
        """
        weights = _weights(source)
        self._trunk = _trunk()
        self._trunk.load_state_dict(weights)
        self._trunk.eval()
        body = hashlib.sha256()
        for name, value in sorted(weights.items()):
            body.update(name.encode() + value.numpy().tobytes())
        self.digest = body.hexdigest()
        self._scale = 1.0
        self._scale = float(self.features(reference).std()) or 1.0

    @torch.no_grad()
    def features(self, values: Levels, /) -> NDArray[np.float32]:
        """(n, 96) of pictures (n, c, h, w), which are enlarged to at least 96 pixels a side."""
        found = [np.zeros((0, BOTTLENECKS[-1][1]), dtype=np.float32)]
        for at in range(0, len(values), ROWS_AT_ONCE):
            hidden = self._trunk(_seen(values[at : at + ROWS_AT_ONCE]))
            found.append(hidden.mean((2, 3)).numpy() / np.float32(self._scale))
        return np.concatenate(found)


def _seen(values: Levels) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(values)).float().div(255.0).expand(-1, 3, -1, -1)
    mean, deviation = (torch.tensor(one).view(1, 3, 1, 1) for one in (MEAN, DEVIATION))
    grown = max(1.0, SHORTEST / min(x.shape[2:]))
    size = [round(side * grown) for side in x.shape[2:]]
    return (functional.interpolate(x, size=size, mode="bilinear", align_corners=False) - mean) / deviation


def _weights(source: str) -> Mapping[str, Tensor]:
    """The tensors of the layers that are used. The reader refuses a pickle that holds anything but tensors."""
    path = _file(source)
    wanted = _trunk().state_dict()
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        found = {name: held[f"features.{name}"] for name in wanted}
        if any(found[name].shape != value.shape for name, value in wanted.items()):
            raise ValueError("tensors of other shapes")
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        RuntimeError,
        pickle.PickleError,
    ) as error:
        raise DataError(
            f"evaluate.metrics.net_weights: {path.name} does not hold the tensors of a MobileNetV2 ({error})",
            hint="give the state dictionary that torchvision publishes, such as mobilenet_v2-b0353104.pth",
        ) from None
    return found


def _file(source: str) -> Path:
    files = list_files(FilesConfig(path=source), root=Path())
    if len(files) != 1:
        raise DataError(f"evaluate.metrics.net_weights: '{source}' names {len(files)} files; name one")
    return files[0].path
