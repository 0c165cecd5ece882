"""How much detail of which size pictures have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.image.pixels import Levels

ROWS_AT_ONCE = 256
FLOOR = 1e-6


def log_power(values: Levels, /) -> NDArray[np.float32]:
    """The natural logarithm of the mean power at each whole spatial frequency, (n, half the shorter side).

    Channels are averaged first, levels go from 0 to 1, and the mean of a picture (frequency 0) is left out. Powers
    count from 1e-6 on, that is noise of a quarter of a level.
    """
    height, width = values.shape[2:]
    rings = _rings(height, width)
    count = np.bincount(rings.ravel())
    most = max(1, min(height, width) // 2)
    out = np.empty((len(values), most), dtype=np.float32)
    for at in range(0, len(values), ROWS_AT_ONCE):
        grey = values[at : at + ROWS_AT_ONCE].mean(axis=1) / 255.0
        power = np.abs(np.fft.fft2(grey)) ** 2 / (height * width)
        sums = np.stack([np.bincount(rings.ravel(), weights=one.ravel()) for one in power])
        means = (sums / np.maximum(count, 1))[:, 1 : most + 1]
        out[at : at + len(grey), : means.shape[1]] = np.log(means + FLOOR)
    return out


def _rings(height: int, width: int) -> NDArray[np.int64]:
    """The whole spatial frequency of each entry, in waves across the shorter side."""
    short = min(height, width)
    down, across = np.fft.fftfreq(height) * short, np.fft.fftfreq(width) * short
    found: NDArray[np.int64] = np.round(np.hypot(down[:, None], across[None, :])).astype(np.int64)
    return found
