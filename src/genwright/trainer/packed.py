"""Sequences of tokens that stand for themselves, and batches of them end to end in an order that the seed fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.protocols import PackedTokens
from genwright.core.rng import derive_seed
from genwright.trainer.rows import numbers_of


@dataclass(frozen=True)
class Sequences:
    """Token sequences end to end; the first `num_given` tokens of each are read, the others are learned."""

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    num_given: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[tuple[Sequence[int], int]], /) -> Sequences:
        """Those of (tokens, how many are given).

        Raises:
            DataError: there is none.
        """
        if not items:
            raise DataError("no sample is left to learn from", hint="look at what was dropped, and why")
        sizes = np.array([len(tokens) for tokens, _ in items], dtype=np.int64)
        flat = np.concatenate([np.asarray(tokens, dtype=np.int32) for tokens, _ in items])
        return cls(flat, np.cumsum(sizes) - sizes, np.array([given for _, given in items], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Tokens of each."""
        return np.diff(np.append(self.starts, len(self.tokens)))

    @property
    def num_learned(self) -> NDArray[np.int64]:
        """Learned tokens of each: those that are not given; the first of all has nothing before it."""
        return self.sizes - np.maximum(self.num_given, 1)

    def packed(self, numbers: NDArray[np.int64], /, *, device: str) -> PackedTokens:
        """Those sequences end to end."""
        places = zip(self.starts[numbers], self.sizes[numbers], strict=True)
        chosen = [self.tokens[start : start + size] for start, size in places]
        learned = [np.arange(1, len(row)) >= given for row, given in zip(chosen, self.num_given[numbers], strict=True)]

        def joined(parts: Sequence[NDArray[np.generic]], kind: type) -> torch.Tensor:
            return torch.from_numpy(np.concatenate(parts).astype(kind)).to(device)

        return PackedTokens(
            joined([row[:-1] for row in chosen], np.int64),
            joined([row[1:] for row in chosen], np.int64),
            joined(learned, np.bool_),
            tuple(len(row) - 1 for row in chosen),
            float(self.num_learned.mean()),
        )


class PackedFeed:
    """Batches of whole sequences, of which so many in succession are a row. Row n follows from (seed, n) alone."""

    row_units = 1
    unit: Literal["token", "sample"] = "sample"

    def __init__(self, sequences: Sequences, *, seed: int, device: str, shuffle: bool = True, in_row: int = 1) -> None:
        self.sequences, self._in_row = sequences, in_row
        self._seed, self._device, self._shuffle = seed, device, shuffle
        self._order = lru_cache(maxsize=2)(self._make_order)

    def __len__(self) -> int:
        return len(self.sequences) // self._in_row

    def take(self, first: int, /, *, count: int) -> PackedTokens:
        """Rows first .. first + count - 1 of the whole training, end to end."""
        return self.sequences.packed(self.numbers(first, count=count), device=self._device)

    def numbers(self, first: int, /, *, count: int) -> NDArray[np.int64]:
        """Which sequences those rows are."""
        return self._expanded(numbers_of(first, count=count, size=len(self), order=self._order))

    def _expanded(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return (rows[:, None] * self._in_row + np.arange(self._in_row)).reshape(-1)

    def _make_order(self, epoch: int) -> NDArray[np.int64]:
        if not self._shuffle:
            return np.arange(len(self))
        return np.random.default_rng(derive_seed(self._seed, f"epoch {epoch}")).permutation(len(self))
