"""How much of a text was copied from a corpus: shared word sequences, and the longest shared span."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genwright.detect.shingles import STEP, distinct, mix, shingle_hashes

Words = NDArray[np.uint64]
_PACKED = 8  # bytes in a 64-bit word
_LONG = 4 * _PACKED


class Corpus:
    """A corpus held in memory as bytes, with sorted tables of what occurs in it (up to 30 bytes per byte of text)."""

    def __init__(self, texts: Iterable[str], /) -> None:
        # A zero byte between documents keeps a span from crossing from one into the next.
        self._data = b"\0".join(text.encode(errors="surrogatepass") for text in texts)
        self._sequences: dict[int, Words] = {}

    @cached_property
    def _octets(self) -> Words:
        return distinct(_packed(self._data))

    @cached_property
    def _long_pieces(self) -> Words:
        return distinct(_long_pieces(_packed(self._data)))

    def copied_share(self, text: str, /, *, num_words: int) -> float | None:
        """The share of the text's sequences of that many words that stand in the corpus; None where it has none."""
        own = shingle_hashes(text, num_words=num_words) if _num_words(text) >= num_words else np.empty(0, np.uint64)
        if not len(own):
            return None
        if num_words not in self._sequences:
            parts = (part.decode(errors="surrogatepass") for part in self._data.split(b"\0"))
            hashes = [shingle_hashes(part, num_words=num_words) for part in parts]
            self._sequences[num_words] = distinct(np.concatenate(hashes))
        return float(_known(self._sequences[num_words], own).mean())

    def longest_copy(self, text: str, /) -> int:
        """The characters of the longest span of the text that stands in the corpus, letter for letter."""
        data = text.encode(errors="surrogatepass")
        return len(self._longest(data).decode(errors="ignore"))

    def _longest(self, data: bytes) -> bytes:
        best, start = b"", 0
        reach = _reach(_known(self._octets, _packed(data)), len(data), _PACKED)
        refined = False
        while start + len(best) < len(data):
            if not refined and len(best) >= _LONG:
                long_reach = _reach(_known(self._long_pieces, _long_pieces(_packed(data))), len(data), _LONG)
                reach, refined = [min(a, b) for a, b in zip(reach, long_reach, strict=True)], True
            # A longer span from here needs all its pieces in the corpus, which is far cheaper to ask.
            end = start + len(best) + 1
            place = self._data.find(data[start:end]) if reach[start] >= end else -1
            if place < 0:
                start += 1
            else:
                best = data[start : start + self._match_length(data, start, place)]
        return best

    def _match_length(self, data: bytes, start: int, place: int) -> int:
        """How far the text from `start` and the corpus from `place` agree."""
        ours = np.frombuffer(data, dtype=np.uint8)[start:]
        theirs = np.frombuffer(self._data, dtype=np.uint8)[place : place + len(ours)]
        differ = np.flatnonzero(ours[: len(theirs)] != theirs)
        return int(differ[0]) if len(differ) else len(theirs)


def _reach(known: NDArray[np.bool_], size: int, width: int) -> list[int]:
    """For each start the end up to which every piece of that width is known (short ends count as known)."""
    ends, end = [size] * size, size
    for start in range(size - width, -1, -1):
        end = end if known[start] else start + width - 1
        ends[start] = end
    return ends


def _long_pieces(octets: Words) -> Words:
    """A hash of each run of 32 bytes, from the runs of eight bytes."""
    size = max(0, len(octets) - _LONG + _PACKED)
    total = octets[:size].copy()
    for at in range(_PACKED, _LONG, _PACKED):
        total *= STEP
        total += octets[at : at + size]
    return mix(total)


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
