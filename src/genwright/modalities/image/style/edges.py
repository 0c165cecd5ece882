"""How much of what a picture shows is left in another: where edges are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from genwright.modalities.image.pixels import Levels

# Rec. 601 luma.
LUMA = np.array([0.299, 0.587, 0.114])
# Source: Wang et al. 2004 (IEEE TIP 13), section III.C: the window and the constants, for a range of 1.
WINDOW_SIGMA, C1, C2 = 1.5, 0.01**2, 0.03**2
Floats = NDArray[np.float64]


def edges(picture: Levels, /) -> Floats:
    """The strength of edges at each pixel, 1 at the strongest: the Sobel gradient of luma."""
    wide = np.broadcast_to(picture, (3, *picture.shape[1:]))
    luma = np.tensordot(LUMA, wide.astype(np.float64) / 255.0, axes=1)
    found: Floats = np.hypot(ndimage.sobel(luma, axis=0), ndimage.sobel(luma, axis=1))
    return found / max(float(found.max()), 1e-12)


def ssim(a: Floats, b: Floats, /) -> float:
    """The mean structural similarity of two maps from 0 to 1; 1 for equal ones.

    Source: Wang et al. 2004, equation 13, windows by a Gaussian.
    """
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    both = _blurred(a * b) - mean_a * mean_b
    found = (2 * mean_a * mean_b + C1) * (2 * both + C2) / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))
    return float(found.mean())


def _blurred(values: Floats) -> Floats:
    return np.asarray(ndimage.gaussian_filter(values, WINDOW_SIGMA, truncate=3.5))
