"""The baseline of style transfer: only the statistics of colours are carried over."""

from __future__ import annotations

import numpy as np

from genwright.modalities.image.pixels import Levels


def with_colours_of(content: Levels, style: Levels, /) -> Levels:
    """The content with the style's mean and deviation in each channel.

    Source: Reinhard et al. 2001 (IEEE CG&A 21), equations 10 to 11, in RGB rather than in l-alpha-beta.
    """
    mine, wanted = (one.astype(np.float64).reshape(len(one), -1) for one in (content, style))
    scale = wanted.std(1) / np.maximum(mine.std(1), 1e-12)
    moved = (mine - mine.mean(1, keepdims=True)) * scale[:, None] + wanted.mean(1, keepdims=True)
    out: Levels = np.clip(np.round(moved), 0, 255).astype(np.uint8).reshape(content.shape)
    return out
