"""Sequences of tokens of any length as arrays, for the codecs whose samples are such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core.protocols import Encoded


def padded(ids: Sequence[Sequence[int] | NDArray[Any]], /, *, width: int) -> Encoded:
    """(n, width) ids with zeros behind each sequence, and how many of each row count."""
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    values = np.zeros((len(ids), width), dtype=np.int32)
    for row, one in enumerate(ids):
        values[row, : len(one)] = one
    return Encoded(values, lengths)


def partly_known(found: Sequence[Sequence[int | None]], /) -> Encoded:
    """Ids of which None is unknown; what is known besides is the begin mark in front, for which there is room."""
    width = max((len(ids) for ids in found), default=0)
    plain = padded([[0 if token is None else token for token in ids] for ids in found], width=width)
    known = np.zeros((len(found), width + 2), dtype=np.bool_)
    known[:, 0] = True
    for row, ids in enumerate(found):
        known[row, 1 : len(ids) + 1] = [token is not None for token in ids]
    return Encoded(plain.values, plain.lengths, known=known)


def sequences_of(encoded: Encoded, /) -> Iterator[list[int]]:
    """The ids of each row that count."""
    values = np.asarray(encoded.values)
    lengths = np.full(len(values), values.shape[1]) if encoded.lengths is None else encoded.lengths
    for row, length in zip(values, lengths.tolist(), strict=True):
        yield row[:length].tolist()
