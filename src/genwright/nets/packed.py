"""Matrices as 8-bit or 4-bit codes in groups along their rows, each with a scale and a zero point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

GROUPS = (64, 32, 16)
CODES, SCALES, ZEROS = ".codes", ".scales", ".zeros"
Bits = Literal[8, 4]


@dataclass(frozen=True)
class Packed:
    """A matrix (o i) in groups along its rows: a number is (code - zero) x scale."""

    codes: UInt8[Tensor, "o c"]
    scales: Float[Tensor, "o n"]
    zeros: UInt8[Tensor, "o n"]

    def dense(self) -> Float[Tensor, "o i"]:
        """The matrix that the codes stand for, float32."""
        rows, num_groups = self.scales.shape
        values = self.codes.view(rows, num_groups, -1).float() - self.zeros[:, :, None].float()
        return (values * self.scales[:, :, None].float()).view(rows, -1)


def group_for(columns: int, /) -> int | None:
    """The size of the groups in rows that long; None where none fits."""
    return next((group for group in GROUPS if columns % group == 0), None)


def to_tensors(matrices: Mapping[str, Packed], /, *, bits: Mapping[str, Bits]) -> dict[str, Tensor]:
    """What a file holds of them. Codes of 8 bits are written as int8, two of 4 bits as one uint8: the type tells."""
    found: dict[str, Tensor] = {}
    for name, one in matrices.items():
        codes = one.codes[:, ::2] << 4 | one.codes[:, 1::2] if bits[name] == 4 else one.codes.view(torch.int8)
        found |= {name + CODES: codes, name + SCALES: one.scales.half(), name + ZEROS: one.zeros}
    return found


def unpacked(tensors: Mapping[str, Tensor], /) -> dict[str, Tensor]:
    """All tensors of a file, those that were packed as matrices again."""
    names = {name.removesuffix(CODES) for name in tensors if name.endswith(CODES)}
    plain = {name: value for name, value in tensors.items() if not _is_part(name, names)}
    return plain | {name: _read(tensors, name).dense() for name in sorted(names)}


def _is_part(name: str, packed: Iterable[str]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in packed for end in (CODES, SCALES, ZEROS))


def _read(tensors: Mapping[str, Tensor], name: str) -> Packed:
    codes = tensors[name + CODES]
    if codes.dtype == torch.int8:
        codes = codes.view(torch.uint8)
    else:
        codes = torch.stack((codes >> 4, codes & 15), dim=-1).flatten(1)
    return Packed(codes, tensors[name + SCALES], tensors[name + ZEROS])
