"""Short texts inside long ones, from samples of their shingles: what the Jaccard similarity misses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genwright.detect.shingles import Hashes, distinct

KEEP_ALL_UP_TO = 512
MIN_EVIDENCE = 12
COMMON_SHINGLE = 64

Pairs = NDArray[np.int64]


def sketch_hashes(hashes: Hashes, /, *, rate: int) -> Hashes:
    """The sorted distinct hashes of a short text; of a long one those in the lowest `1/rate` of the range."""
    if len(hashes) > KEEP_ALL_UP_TO:
        hashes = hashes[hashes < _limit(rate)]
    return distinct(hashes)


def contained_pairs(samples: Sequence[Hashes], /, *, rate: int, threshold: float) -> list[tuple[int, int, float]]:
    """(shorter, longer, share of the shorter's sampled shingles that the longer holds) at or above the threshold.

    A pair needs 12 sampled shingles of the shorter text as evidence; between a short and a long text that is about
    `12 rate` shingles, and below it the pair stays undecided, which counts as not contained.
    Shingles that more than 64 texts share (licence headers) count as evidence but propose no pair.
    """
    limit = _limit(rate)
    lowest = [sample[: np.searchsorted(sample, limit)] for sample in samples]
    whole = np.array([len(low) < len(sample) or len(sample) == 0 for low, sample in zip(lowest, samples, strict=True)])
    index = _Index.of(samples)
    found = []
    for short, long in _proposals(index, lowest=lowest, whole=whole, threshold=threshold):
        source = samples if whole[short] and whole[long] else lowest
        if len(source[short]) >= MIN_EVIDENCE:
            share = float(np.isin(source[short], source[long], assume_unique=True).mean())
            if share >= threshold:
                found.append((short, long, share))
    return found


def _limit(rate: int) -> np.uint64:
    return np.uint64((1 << 64) // rate - 1)


@dataclass(frozen=True)
class _Index:
    """Which texts share which shingle: owners sorted by hash, in runs of `sizes` from `starts`."""

    owners: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    num_texts: int

    @classmethod
    def of(cls, samples: Sequence[Hashes]) -> "_Index":
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *samples])
        owners = np.repeat(np.arange(len(samples)), [len(one) for one in samples])
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        firsts = np.flatnonzero(np.concatenate([np.ones(min(1, len(hashes)), dtype=bool), hashes[1:] != hashes[:-1]]))
        return cls(owners[order], firsts, np.diff(firsts, append=len(hashes)), len(samples))

    def common_per_text(self) -> NDArray[np.int64]:
        """How many of each text's shingles are too common to propose a pair."""
        counts = np.zeros(self.num_texts, dtype=np.int64)
        for start, size in zip(self.starts, self.sizes, strict=True):
            if size > COMMON_SHINGLE:
                counts[self.owners[start : start + size]] += 1
        return counts

    def shared(self) -> tuple[Pairs, NDArray[np.int64]]:
        """Pairs of texts (a < b) that share a shingle which is not too common, and how many they share."""
        packed = [np.empty(0, dtype=np.int64)]
        for size in range(2, COMMON_SHINGLE + 1):
            rows = self.owners[self.starts[self.sizes == size][:, None] + np.arange(size)]
            a, b = np.triu_indices(size, k=1)
            packed.append((rows[:, a].ravel() << 32) | rows[:, b].ravel())
        keys, counts = np.unique(np.concatenate(packed), return_counts=True)
        return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1), counts


def _proposals(
    index: _Index, *, lowest: Sequence[Hashes], whole: NDArray[np.bool_], threshold: float
) -> list[tuple[int, int]]:
    """(shorter, longer) pairs that share enough shingles to possibly reach the threshold."""
    pairs, counts = index.shared()
    num_lowest = np.array([len(low) for low in lowest], dtype=np.int64)
    num_all = np.bincount(index.owners, minlength=index.num_texts)
    both = np.all(whole[pairs], axis=1, keepdims=True)
    sizes = np.where(both, num_all[pairs], num_lowest[pairs])
    # A text kept whole is shorter than a sampled one whatever the two samples' sizes say.
    length = np.where(both, sizes, num_lowest[pairs] + (~whole[pairs]) * (1 << 40))
    pairs = np.where((length[:, 0] <= length[:, 1])[:, None], pairs, pairs[:, ::-1])
    needed = threshold * sizes.min(axis=1) - index.common_per_text()[pairs[:, 0]]
    return [(int(short), int(long)) for short, long in pairs[counts >= needed]]
