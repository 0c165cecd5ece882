"""Style transfer with a style that the net never saw: one net tells a style's vector, another draws with it.

Source: Ghiasi et al. 2017 (arXiv:1705.06830): from 100 numbers of a style the drawing net gets its instance norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.picture import cropped, resized

PREDICT, TRANSFORM = "predict.onnx", "transform.onnx"
STYLE_SIDE, TILE, OVERLAP = 256, 384, 96  # the nets take pictures of these sides only
Floats = NDArray[np.float32]


class ArbitraryStyle:
    """Draws a content picture in the style of another one."""

    def __init__(self, predict: Path, transform: Path) -> None:
        """Reads both nets.

        Raises:
            DataError: a file is no such net.
        """
        self._predict, self._transform = _session(predict, inputs=1), _session(transform, inputs=2)

    def vector(self, picture: Levels, /) -> Floats:
        """The style of a picture's middle square: (100,)."""
        return self._run(self._predict, [_floats(cropped(picture, STYLE_SIDE))]).reshape(-1)

    def stylise(self, content: Levels, style: Levels, /, *, strength: float = 1.0) -> Levels:
        """The content, of its size, in a style between its own (strength 0) and that of `style` (strength 1).

        Strength 0 is not the content itself, but what the net draws of it. Content of more than 384 pixels is drawn in
        tiles that overlap; each has a contrast of its own, so that large even areas may come out uneven.
        """
        own, other = self.vector(content), self.vector(style)
        vector = own + np.float32(strength) * (other - own)
        height, width = content.shape[1:]
        grown = max(1.0, TILE / max(height, width))
        large = resized(content, (round(height * grown), round(width * grown)))
        drawn = self._draw(_floats(large), vector)
        levels = np.clip(np.round(np.moveaxis(drawn, -1, 0) * 255.0), 0, 255).astype(np.uint8)
        return resized(levels, (height, width))

    def _draw(self, content: Floats, vector: Floats) -> Floats:
        """Tiles (h, w, 3), each weighted by how far it reaches from its edge."""
        height, width, _ = content.shape
        wide = ((0, max(0, TILE - height)), (0, max(0, TILE - width)), (0, 0))
        padded = np.pad(content, wide, mode="symmetric")
        ramp = np.minimum(np.arange(1, TILE + 1), np.arange(TILE, 0, -1)).clip(max=OVERLAP).astype(np.float32)
        weight = (ramp[:, None] * ramp)[..., None]
        total, weights = np.zeros_like(padded), np.zeros((*padded.shape[:2], 1), dtype=np.float32)
        for top in _starts(padded.shape[0]):
            for left in _starts(padded.shape[1]):
                at = np.s_[top : top + TILE, left : left + TILE]
                drawn = self._run(self._transform, [padded[at], vector.reshape(1, 1, -1)])
                total[at] += drawn[0] * weight
                weights[at] += weight
        return np.asarray((total / weights)[:height, :width], dtype=np.float32)

    def _run(self, net: onnxruntime.InferenceSession, values: Sequence[Floats]) -> Floats:
        given = {one.name: value[None] for one, value in zip(net.get_inputs(), values, strict=True)}
        return np.asarray(net.run(None, given)[0], dtype=np.float32)


def _starts(length: int) -> list[int]:
    """Where tiles start along a side, evenly, with at least `OVERLAP` pixels in common."""
    count = max(1, -(-(length - OVERLAP) // (TILE - OVERLAP)))
    return [round(number * (length - TILE) / max(count - 1, 1)) for number in range(count)]


def _floats(levels: Levels) -> Floats:
    return np.moveaxis(levels, 0, -1).astype(np.float32) / np.float32(255.0)


def _session(path: Path, *, inputs: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the same bits whatever the cores
    options.log_severity_level = 3
    try:
        found = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes share no base that is public
        raise DataError(f"{path} cannot be read as an ONNX net ({error})") from None
    if len(found.get_inputs()) != inputs:
        raise DataError(f"{path} is an ONNX net with {len(found.get_inputs())} inputs, not {inputs}")
    return found
