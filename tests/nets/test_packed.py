"""Matrices in 8 and 4 bits: near the numbers that they stand for, in the bytes that they should take."""

import pytest
import torch

from genwright.nets.packed import group_for, to_tensors, unpacked
from genwright.stages.compress.quantise import _affine


@pytest.mark.parametrize("bits", [8, 4])
def test_a_matrix_comes_back_within_half_a_step(bits):
    weight = torch.randn(24, 128, generator=torch.Generator().manual_seed(0))
    tensors = to_tensors({"net.w": _affine(weight, bits)}, bits={"net.w": bits})
    found = unpacked({**tensors, "net.bias": torch.ones(3)})
    assert set(found) == {"net.w", "net.bias"}
    spread = weight.view(24, 2, 64).amax(2) - weight.view(24, 2, 64).amin(2)
    step = (spread / (2**bits - 1)).repeat_interleave(64, dim=1)
    error = (found["net.w"] - weight).abs()
    assert float((error / step).max()) < 0.6
    num_bytes = sum(value.numel() * value.element_size() for value in tensors.values())
    assert num_bytes == 24 * 128 * bits // 8 + 24 * 2 * 3


def test_groups_divide_the_rows():
    assert [group_for(columns) for columns in (576, 32, 48, 7)] == [64, 32, 16, None]
