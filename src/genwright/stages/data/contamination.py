"""How much of the test split the train split holds, by word n-grams."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genwright.core import Context
from genwright.detect.shingles import shingle_hashes
from genwright.modalities.dataset import read_texts
from genwright.stages.data.config import DataConfig
from genwright.stages.data.outcome import Row

Hashes = NDArray[np.uint64]


def measure_contamination(config: DataConfig, context: Context, *, rows: Sequence[Row], dataset: Path) -> None:
    """Gives the test rows their distinct n-grams, and how many of these occur in train.

    Memory: 8 bytes per distinct n-gram of the test split; train is streamed.
    Source: Brown et al. 2020 (arXiv:2005.14165, appendix C): 13-grams of lower-cased words.
    """
    words = config.contamination_words
    own = [np.unique(shingle_hashes(text, num_words=words)) for text in read_texts(dataset, split="test")]
    known = np.unique(np.concatenate(own)) if own else np.empty(0, dtype=np.uint64)
    found = _found(
        known, words=words, context=context, dataset=dataset, num_train=sum(row.split == "train" for row in rows)
    )
    tested = [row for row in rows if row.split == "test"]
    for row, hashes in zip(tested, own, strict=True):
        row.test_ngrams = len(hashes)
        row.test_ngrams_in_train = int(found[np.searchsorted(known, hashes)].sum())


def _found(known: Hashes, *, words: int, context: Context, dataset: Path, num_train: int) -> NDArray[np.bool_]:
    found = np.zeros(len(known), dtype=bool)
    with context.progress.task("contamination", total=num_train) as task:
        for text in read_texts(dataset, split="train"):
            hashes = shingle_hashes(text, num_words=words)
            places = np.minimum(np.searchsorted(known, hashes), max(len(known) - 1, 0))
            if len(known):
                found[places[known[places] == hashes]] = True
            task.advance(1)
    return found
