"""The ways a tensor's numbers are stored, and the mixtures of them that a file has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Literal

from genwright.core import DataError


class Quantisation(IntEnum):
    """Types of ggml, by their numbers in the file."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q4_1 = 3
    Q5_0 = 6
    Q5_1 = 7
    Q8_0 = 8
    Q2_K = 10
    Q3_K = 11
    Q4_K = 12
    Q5_K = 13
    Q6_K = 14
    IQ4_NL = 20
    IQ4_XS = 23
    BF16 = 30


# Of each type: the numbers in a block, and its bytes.
BLOCKS: dict[int, tuple[int, int]] = {
    Quantisation.F32: (1, 4),
    Quantisation.F16: (1, 2),
    Quantisation.BF16: (1, 2),
    Quantisation.Q4_0: (32, 18),
    Quantisation.Q4_1: (32, 20),
    Quantisation.Q5_0: (32, 22),
    Quantisation.Q5_1: (32, 24),
    Quantisation.Q8_0: (32, 34),
    Quantisation.IQ4_NL: (32, 18),
    Quantisation.Q2_K: (256, 84),
    Quantisation.Q3_K: (256, 110),
    Quantisation.Q4_K: (256, 144),
    Quantisation.Q5_K: (256, 176),
    Quantisation.Q6_K: (256, 210),
    Quantisation.IQ4_XS: (256, 136),
}
# Where a row is no multiple of 256 numbers, the type of like size in blocks of 32 (as llama.cpp does).
SMALLER_BLOCKS = {
    Quantisation.Q2_K: Quantisation.Q4_0,
    Quantisation.Q3_K: Quantisation.Q4_0,
    Quantisation.Q4_K: Quantisation.Q5_0,
    Quantisation.Q5_K: Quantisation.Q5_1,
    Quantisation.Q6_K: Quantisation.Q8_0,
    Quantisation.IQ4_XS: Quantisation.IQ4_NL,
}
FileType = Literal["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0", "iq4_nl"]
# Of each file type: its number in `general.file_type`, the type of most matrices, and that of the more sensitive ones.
FILE_TYPES: dict[FileType, tuple[int, Quantisation, Quantisation]] = {
    "f32": (0, Quantisation.F32, Quantisation.F32),
    "f16": (1, Quantisation.F16, Quantisation.F16),
    "q4_0": (2, Quantisation.Q4_0, Quantisation.Q4_0),
    "q4_1": (3, Quantisation.Q4_1, Quantisation.Q4_1),
    "q8_0": (7, Quantisation.Q8_0, Quantisation.Q8_0),
    "q5_0": (8, Quantisation.Q5_0, Quantisation.Q5_0),
    "q5_1": (9, Quantisation.Q5_1, Quantisation.Q5_1),
    "q4_k_m": (15, Quantisation.Q4_K, Quantisation.Q6_K),
    "q5_k_m": (17, Quantisation.Q5_K, Quantisation.Q6_K),
    "q6_k": (18, Quantisation.Q6_K, Quantisation.Q6_K),
    "iq4_nl": (25, Quantisation.IQ4_NL, Quantisation.IQ4_NL),
    "bf16": (32, Quantisation.BF16, Quantisation.BF16),
}
PLAIN = (Quantisation.F32, Quantisation.F16, Quantisation.BF16)


def stored_bytes(shape: Sequence[int], quantisation: Quantisation, /, *, name: str) -> int:
    """The bytes that a tensor of that shape takes.

    Raises:
        DataError: its rows are no whole blocks.
    """
    numbers, size = BLOCKS[quantisation]
    columns = shape[-1] if shape else 1
    if columns % numbers:
        raise DataError(f"tensor '{name}' has rows of {columns}; type {quantisation.name} takes blocks of {numbers}")
    return math.prod(shape) // numbers * size


def quantisation_for(name: str, shape: Sequence[int], /, *, file_type: FileType, num_layers: int) -> Quantisation:
    """The type of one tensor in a file of that type.

    Vectors stay in float32. The output matrix (the embedding where they are one) has at least six bits. In the `_m`
    mixtures the values and the second feed-forward matrix have six bits in half of the layers: the first and last
    eighth, and every third between (llama.cpp, `llama-quant.cpp`).
    """
    _, most, sensitive = FILE_TYPES[file_type]
    if len(shape) < 2:
        return Quantisation.F32
    if most in PLAIN:
        return most
    if name in ("token_embd.weight", "output.weight"):
        wanted = Quantisation.Q8_0 if most is Quantisation.Q8_0 else Quantisation.Q6_K
    elif name.endswith(("attn_v.weight", "ffn_down.weight")) and _is_kept(int(name.split(".")[1]), num_layers):
        wanted = sensitive
    else:
        wanted = most
    fits = shape[-1] % BLOCKS[wanted][0] == 0
    return wanted if fits else SMALLER_BLOCKS.get(wanted, Quantisation.F16)


def _is_kept(layer: int, num_layers: int) -> bool:
    eighth = num_layers // 8
    return layer < eighth or layer >= 7 * num_layers // 8 or (layer - eighth) % 3 == 2
