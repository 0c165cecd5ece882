"""What a machine multiplies fast."""

from typing import Literal

import torch


def has_native_bfloat16(device: str, /) -> bool:
    """Whether the hardware multiplies bfloat16 itself; emulated, it is many times slower than float32."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def fast_precision(device: str, /) -> Literal["bfloat16", "float32"]:
    """The precision whose products are fast: what `auto` stands for."""
    return "bfloat16" if has_native_bfloat16(device) else "float32"
