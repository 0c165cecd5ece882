"""How much of a text was copied from a corpus: shared word sequences, and the longest shared span."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genwright.detect.shingles import shingle_hashes

Words = NDArray[np.uint64]
_PACKED = 8  # bytes in a 64-bit word


class Corpus:
    """A corpus held in memory as bytes, with sorted tables of what occurs in it (about 10 bytes per byte of text)."""

    def __init__(self, texts: Iterable[str], /) -> None:
        # A zero byte between documents keeps a span from crossing from one into the next.
        self._data = b"\0".join(text.encode(errors="surrogatepass") for text in texts)
        self._sequences: dict[int, Words] = {}

    @cached_property
    def _octets(self) -> Words:
        return np.unique(_packed(self._data))

    def copied_share(self, text: str, /, *, num_words: int) -> float | None:
        """The share of the text's sequences of that many words that stand in the corpus; None where it has none."""
        own = shingle_hashes(text, num_words=num_words) if _num_words(text) >= num_words else np.empty(0, np.uint64)
        if not len(own):
            return None
        if num_words not in self._sequences:
            parts = (part.decode(errors="surrogatepass") for part in self._data.split(b"\0"))
            hashes = [shingle_hashes(part, num_words=num_words) for part in parts]
            self._sequences[num_words] = np.unique(np.concatenate(hashes))
        return float(_known(self._sequences[num_words], own).mean())

    def longest_copy(self, text: str, /) -> int:
        """The characters of the longest span of the text that stands in the corpus, letter for letter."""
        data = text.encode(errors="surrogatepass")
        return len(self._longest(data).decode(errors="ignore"))

    def _longest(self, data: bytes) -> bytes:
        best, start = b"", 0
        reach = self._reach(data)
        while start + len(best) < len(data):
            # A longer span from here needs all its eight-byte pieces in the corpus, which is far cheaper to ask.
            end = start + len(best) + 1
            if reach[start] >= end and data[start:end] in self._data:
                best = data[start:end]
            else:
                start += 1
        return best

    def _reach(self, data: bytes) -> list[int]:
        """For each start the end up to which every eight-byte piece is known (short ends count as known)."""
        known = _known(self._octets, _packed(data))
        ends, end = [len(data)] * len(data), len(data)
        for start in range(len(data) - _PACKED, -1, -1):
            end = end if known[start] else start + _PACKED - 1
            ends[start] = end
        return ends


def _num_words(text: str) -> int:
    return len(text.split())


def _packed(data: bytes) -> Words:
    """Each run of eight bytes as one integer."""
    array = np.frombuffer(data, dtype=np.uint8)
    size = max(0, len(array) - _PACKED + 1)
    packed = np.zeros(size, dtype=np.uint64)
    for place in range(_PACKED):
        packed |= array[place : place + size].astype(np.uint64) << np.uint64(8 * place)
    return packed


def _known(table: Words, wanted: Words) -> NDArray[np.bool_]:
    if not len(table):
        return np.zeros(len(wanted), dtype=bool)
    place = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return np.asarray(table[place] == wanted)
