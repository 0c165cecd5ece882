"""The n-gram reference: bytes under interpolated modified Kneser-Ney, an exact, normalised probability.

Source: Chen & Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (TR-10-98, 1998),
sections 3 and 4.1 (equations 21-27); the last level interpolates with the uniform distribution over 256 bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import SpecError

MAX_ORDER = 8  # so many bytes fit one 64-bit word
Words = NDArray[np.uint64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """One order: the discounted share of each gram in its context, and what each context leaves to the level below."""

    grams: Words
    share: Floats
    contexts: Words
    left: Floats


class Ngram:
    """A byte-level n-gram model. A document is `order - 1` zero bytes, its UTF-8 bytes, and an end mark (byte 0)."""

    def __init__(self, order: int, levels: Sequence[_Level], /) -> None:
        self.order = order
        self._levels = levels

    @classmethod
    def fit(cls, texts: Iterable[str], /, *, order: int) -> "Ngram":
        """The model of these texts.

        Raises:
            SpecError: the order is outside 1..8.
        """
        if not 1 <= order <= MAX_ORDER:
            raise SpecError(f"an n-gram order of {order} is outside 1..{MAX_ORDER}")
        grams, counts = _unique(_packed_corpus(texts, order))
        levels = [_level(grams, counts)]
        for length in range(order - 1, 0, -1):
            mask = np.uint64((1 << (8 * length)) - 1)
            grams, counts = _unique(grams & mask)  # how many different bytes stand before each shorter gram
            levels.append(_level(grams, counts))
        return cls(order, levels[::-1])

    def bits(self, text: str, /) -> float:
        """The code length of a document and its end mark, in bits."""
        return float(-np.log2(self.probabilities(_packed(text.encode(errors="surrogatepass"), self.order))).sum())

    def probabilities(self, packed: Words, /) -> Floats:
        """P(last byte | the bytes before it) of grams of this order, packed with the last byte lowest."""
        probability = np.full(len(packed), 1 / 256)
        for length, level in enumerate(self._levels, start=1):
            gram = packed & np.uint64((1 << (8 * length)) - 1) if length < 8 else packed
            context = gram >> np.uint64(8)
            place, known = _find(level.contexts, context)
            share, seen = _find(level.grams, gram)
            own = np.where(seen, level.share[share], 0.0)
            probability = np.where(known, own + level.left[place] * probability, probability)
        return probability


def _level(grams: Words, counts: NDArray[np.int64]) -> _Level:
    discount = _discounts(counts)[np.minimum(counts, 3)]
    contexts, start = np.unique(grams >> np.uint64(8), return_index=True)  # grams are sorted, so contexts are runs
    total = np.add.reduceat(counts, start).astype(np.float64)
    left = np.add.reduceat(discount, start) / total
    sizes = np.diff(np.append(start, len(grams)))
    return _Level(grams, (counts - discount) / np.repeat(total, sizes), contexts, left)


def _discounts(counts: NDArray[np.int64]) -> Floats:
    """D(0), D(1), D(2), D(3+) from the counts of counts; 1/2 where these are too few to tell."""
    n = [int((counts == k).sum()) for k in range(1, 5)]
    found = [0.0, 0.5, 0.5, 0.5]
    if all(n):
        y = n[0] / (n[0] + 2 * n[1])
        found = [0.0, *(k - (k + 1) * y * n[k] / n[k - 1] for k in (1, 2, 3))]
    return np.asarray(np.clip(np.array(found), 0.0, [0.0, 0.99, 1.99, 2.99]))


def _unique(packed: Words) -> tuple[Words, NDArray[np.int64]]:
    grams, counts = np.unique(packed, return_counts=True)
    return grams, counts.astype(np.int64)


def _find(table: Words, wanted: Words) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places in a sorted table, and whether the wanted words are there."""
    place = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return place, table[place] == wanted


def _packed_corpus(texts: Iterable[str], order: int) -> Words:
    """The grams of all texts, one after another."""
    found = [_packed(text.encode(errors="surrogatepass"), order) for text in texts]
    if not found:
        raise SpecError("an n-gram model needs at least one text")
    return np.concatenate(found)


def _packed(data: bytes, order: int) -> Words:
    """The gram that ends at each byte of the document and at its end mark."""
    padded: NDArray[Any] = np.frombuffer(bytes(order - 1) + data + b"\0", dtype=np.uint8)
    size = len(data) + 1
    packed = np.zeros(size, dtype=np.uint64)
    for back in range(order):
        start = order - 1 - back
        packed |= padded[start : start + size].astype(np.uint64) << np.uint64(8 * back)
    return packed
