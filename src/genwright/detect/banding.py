"""Locality-sensitive banding of MinHash signatures: candidate pairs in sorted passes, no table of buckets."""

import numpy as np
from numpy.typing import NDArray

from genwright.detect.shingles import Hashes, distinct, join_hashes

RECALL = 0.99
ALL_PAIRS_UP_TO = 32
VERIFY_CHUNK = 1 << 16

Signatures = NDArray[np.uint32]
Pairs = NDArray[np.int64]


def band_shape(threshold: float, /, *, num_permutations: int) -> tuple[int, int]:
    """(bands, rows) with the most rows that still finds 99 % of the pairs exactly at the threshold.

    Source: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4: found with probability 1 - (1 - s^rows)^bands.

    >>> band_shape(0.8, num_permutations=128)
    (21, 6)
    """
    for rows in range(num_permutations, 1, -1):
        bands = num_permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= RECALL:
            return bands, rows
    return num_permutations, 1


def candidate_pairs(signatures: Signatures, /, *, shape: tuple[int, int], threshold: float) -> Pairs:
    """Pairs of rows (a < b) that agree in all rows of some band; unique, sorted."""
    bands, rows = shape
    packed: Hashes = np.empty(0, dtype=np.uint64)
    for band in range(bands):
        columns = signatures[:, band * rows : (band + 1) * rows].astype(np.uint64)
        found = _pairs_of_band(_band_keys(columns), signatures, threshold=threshold)
        keys = (found[:, 0].astype(np.uint64) << np.uint64(32)) | found[:, 1].astype(np.uint64)
        packed = distinct(np.concatenate([packed, keys]))
    return np.stack([packed >> np.uint64(32), packed & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def matching_share(signatures: Signatures, pairs: Pairs, /) -> NDArray[np.float64]:
    """The share of equal signature entries per pair: an unbiased estimate of the Jaccard similarity."""
    shares = np.empty(len(pairs), dtype=np.float64)
    for at in range(0, len(pairs), VERIFY_CHUNK):
        a, b = pairs[at : at + VERIFY_CHUNK].T
        shares[at : at + VERIFY_CHUNK] = (signatures[a] == signatures[b]).mean(axis=1)
    return shares


def _band_keys(columns: Hashes) -> Hashes:
    # One key per row of the band; join_hashes works along a sequence, so it gets the transposed columns.
    keys: Hashes = join_hashes(columns.T, num_words=columns.shape[1])[0]
    return keys


def _pairs_of_band(keys: Hashes, signatures: Signatures, *, threshold: float) -> Pairs:
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(keys)]])
    sizes = ends - starts
    found = [
        _pairs_of_size(order, starts[sizes == size], int(size))
        for size in np.unique(sizes)
        if 1 < size <= ALL_PAIRS_UP_TO
    ]
    for start, end in zip(starts[sizes > ALL_PAIRS_UP_TO], ends[sizes > ALL_PAIRS_UP_TO], strict=True):
        found.append(_pairs_with_leaders(order[start:end], signatures, threshold=threshold))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def _pairs_of_size(order: NDArray[np.int64], starts: NDArray[np.int64], size: int) -> Pairs:
    rows = order[starts[:, None] + np.arange(size)]
    a, b = np.triu_indices(size, k=1)
    pairs = np.stack([rows[:, a].ravel(), rows[:, b].ravel()], axis=1)
    return np.sort(pairs, axis=1).astype(np.int64)


def _pairs_with_leaders(rows: NDArray[np.int64], signatures: Signatures, *, threshold: float) -> Pairs:
    # A large bucket has too many pairs: each row is joined to the first leader it resembles, else leads itself.
    found = []
    while len(rows) > 1:
        leader, rest = rows[0], rows[1:]
        pairs = np.stack([np.full(len(rest), leader), rest], axis=1)
        alike = matching_share(signatures, pairs) >= threshold
        found.append(np.sort(pairs[alike], axis=1))
        rows = rest[~alike]
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)
