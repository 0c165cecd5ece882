"""How much of the test split the train split holds, by word n-grams."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genwright.core import Context
from genwright.detect.shingles import shingle_hashes
from genwright.modalities.dataset import read_texts
from genwright.stages.data.config import DataConfig
from genwright.stages.data.outcome import Row

Hashes = NDArray[np.uint64]

MAX_KNOWN = 2_000_000
BYTES_PER_WORD = 5  # assumption for the sampling rate only: English prose and code lie near it
_FILTER_BITS = 24


class Ngrams:
    """The word n-grams of texts by their 64-bit hashes, of one in `rate` hashes where there are many."""

    def __init__(self, *, words: int, rate: int) -> None:
        self._words = words
        self._limit = np.uint64((1 << 64) // rate - 1)

    def of(self, text: str, /) -> Hashes:
        """The sampled n-grams of a text, repeats included."""
        hashes = shingle_hashes(text, num_words=self._words)
        return hashes[hashes <= self._limit]


def measure_contamination(config: DataConfig, context: Context, *, rows: Sequence[Row], dataset: Path) -> None:
    """Gives the test rows their distinct n-grams, and how many of these occur in train.

    Train is streamed; of a test split beyond some 10 MB, n-grams are sampled by hash, so memory stays bounded.
    Source: Brown et al. 2020 (arXiv:2005.14165, appendix C): 13-grams of lower-cased words.
    """
    tested = [row for row in rows if row.split == "test"]
    rate = 1 + sum(row.bytes_out for row in tested) // (BYTES_PER_WORD * MAX_KNOWN)
    ngrams = Ngrams(words=config.contamination_words, rate=rate)
    own = [np.unique(ngrams.of(text)) for text in read_texts(dataset, split="test")]
    known = np.unique(np.concatenate(own)) if own else np.empty(0, dtype=np.uint64)
    found = np.zeros(len(known), dtype=bool)
    for places in _found(
        known, ngrams, context=context, dataset=dataset, num_train=sum(r.split == "train" for r in rows)
    ):
        found[places] = True
    for row, hashes in zip(tested, own, strict=True):
        row.test_ngrams = len(hashes)
        row.test_ngrams_in_train = int(found[np.searchsorted(known, hashes)].sum())


def _found(
    known: Hashes, ngrams: Ngrams, *, context: Context, dataset: Path, num_train: int
) -> Iterator[NDArray[np.intp]]:
    """For each train document the places of its n-grams among the known ones."""
    shift = np.uint64(64 - _FILTER_BITS)
    may_be_known = np.zeros(1 << _FILTER_BITS, dtype=bool)  # most n-grams fail here, which is far cheaper than a search
    may_be_known[known >> shift] = True
    with context.progress.task("contamination", total=num_train) as task:
        for text in read_texts(dataset, split="train"):
            hashes = ngrams.of(text)
            hashes = hashes[may_be_known[hashes >> shift]]
            places = np.searchsorted(known, hashes)
            places[places == len(known)] = 0
            yield places[known[places] == hashes] if len(known) else places[:0]
            task.advance(1)
