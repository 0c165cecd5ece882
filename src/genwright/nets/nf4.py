"""Weights in 4 bits: NormalFloat in blocks with one scale each."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 64
# Source: QLoRA, arXiv:2305.14314, appendix E.
LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


class Nf4(nn.Module):
    """A frozen matrix as 4-bit codes, two a byte, and the largest absolute value of every 64 entries in half precision.

    The codes are no part of `state_dict`: they follow from the weights that they were made of.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Float[Tensor, "o i"]) -> None:
        super().__init__()
        self.shape = tuple(weight.shape)
        flat = weight.float().flatten()
        blocks = functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
        scales = blocks.abs().amax(1).clamp(min=1e-7).half()
        levels = torch.tensor(LEVELS, device=weight.device)
        middles = (levels[1:] + levels[:-1]) / 2
        codes = torch.bucketize(blocks / scales.float()[:, None], middles).to(torch.uint8).flatten()
        self.register_buffer("codes", codes[::2] << 4 | codes[1::2], persistent=False)
        # As whole numbers, so that a change of precision of the net leaves them as they are.
        self.register_buffer("scales", scales.view(torch.int16), persistent=False)

    def dense(self, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """The matrix that the codes stand for."""
        levels = torch.tensor(LEVELS, device=self.codes.device, dtype=torch.float32)
        codes = torch.stack((self.codes >> 4, self.codes & 15), dim=1).view(-1, BLOCK)
        values = levels[codes.long()] * self.scales.view(torch.float16).float()[:, None]
        rows, columns = self.shape
        return values.flatten()[: rows * columns].view(rows, columns).to(dtype)
