"""Stored blocks to float32 and back, by llama.cpp's own code."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import CapabilityError, DataError, load_reference
from genwright.nets.gguf.file import StoredTensor
from genwright.nets.gguf.types import PLAIN, Quantisation, stored_bytes

Floats = NDArray[np.float32]
POINTER, SIZE = ctypes.c_void_p, ctypes.c_int64


def dequantised(tensor: StoredTensor, /) -> Floats:
    """The numbers of a stored tensor; bit by bit those of the `gguf` package."""
    if tensor.quantisation is Quantisation.F32:
        return tensor.data.view(np.float32).reshape(tensor.shape).copy()
    if tensor.quantisation is Quantisation.F16:
        return tensor.data.view(np.float16).reshape(tensor.shape).astype(np.float32)
    if tensor.quantisation is Quantisation.BF16:
        return (tensor.data.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32).reshape(tensor.shape)
    out = np.empty(tensor.shape, dtype=np.float32)
    data = np.ascontiguousarray(tensor.data)
    _ggml(f"dequantize_row_{_ending(tensor.quantisation)}", None, POINTER, POINTER, SIZE)(
        data.ctypes.data, out.ctypes.data, out.size
    )
    return out


def _ending(quantisation: Quantisation) -> str:
    name = quantisation.name
    return name.lower() if not name.endswith("_K") else f"{name[:-1].lower()}K"


def quantised(values: Floats, quantisation: Quantisation, /, *, name: str) -> StoredTensor:
    """The numbers in that type; the quantisers are llama.cpp's own.

    Raises:
        DataError: a number is not finite, or the rows are no whole blocks.
    """
    if not np.isfinite(values).all():
        raise DataError(f"tensor '{name}' holds numbers that are not finite", hint="the model is damaged")
    values = np.ascontiguousarray(values, dtype=np.float32)
    data = _plain(values, quantisation) if quantisation in PLAIN else _by_ggml(values, quantisation, name)
    return StoredTensor(values.shape, quantisation, data)


def _plain(values: Floats, quantisation: Quantisation) -> NDArray[np.uint8]:
    if quantisation is Quantisation.F32:
        return values.reshape(-1).view(np.uint8)
    if quantisation is Quantisation.F16:
        return values.astype(np.float16).reshape(-1).view(np.uint8)
    bits = values.reshape(-1).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)  # to even
    return rounded.astype(np.uint16).view(np.uint8)


def _by_ggml(values: Floats, quantisation: Quantisation, name: str) -> NDArray[np.uint8]:
    out = np.empty(stored_bytes(values.shape, quantisation, name=name), dtype=np.uint8)
    columns = values.shape[-1]
    quantise = _ggml("ggml_quantize_chunk", ctypes.c_size_t, ctypes.c_int, POINTER, POINTER, SIZE, SIZE, SIZE, POINTER)
    num_rows = math.prod(values.shape) // columns
    written = quantise(int(quantisation), values.ctypes.data, out.ctypes.data, 0, num_rows, columns, None)
    assert written == len(out), f"ggml wrote {written} bytes of {len(out)}"
    return out


@cache
def _ggml(name: str, result: Any, /, *arguments: Any) -> Any:
    """A function of the llama.cpp that is installed, by its C name."""
    module = load_reference("xllamacpp:xllamacpp", extra="gguf")
    try:
        found = getattr(ctypes.CDLL(str(module.__file__)), name)
    except (OSError, AttributeError) as error:
        raise CapabilityError(
            f"the installed xllamacpp has no {name} ({error})", hint="pip install 'genwright[gguf]' has the right one"
        ) from None
    found.restype, found.argtypes = result, list(arguments)
    return found
