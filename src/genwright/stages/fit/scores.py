"""One row per document: its size, its tokens, and whether it came back."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core.protocols import Codec
from genwright.modalities.dataset import SPLITS, read_split

_BATCH_DOCUMENTS = 64
_COLUMNS = ("id", "group", "text")


def score_documents(codec: Codec, *, dataset: Path, on_batch: Callable[[int], None]) -> dict[str, list[Any]]:
    """The scores table of a codec: one row per document of every split, train first.

    `new_tokens` counts the tokens of the vocabulary that no earlier document used; `exact` is for held-out documents.
    """
    seen = np.zeros(codec.vocab_size, dtype=bool)
    rows = [
        row
        for split in SPLITS
        for row in _score_split(codec, dataset=dataset, split=split, seen=seen, on_batch=on_batch)
    ]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _score_split(
    codec: Codec, *, dataset: Path, split: str, seen: np.ndarray, on_batch: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    documents = read_split(dataset, split=split, columns=_COLUMNS)
    while batch := list(islice(documents, _BATCH_DOCUMENTS)):
        encoded = codec.encode([row["text"] for row in batch])
        decoded = [None] * len(batch) if split == "train" else codec.decode([array.tolist() for array in encoded])
        for row, tokens, text in zip(batch, encoded, decoded, strict=True):
            used = np.unique(tokens)
            new_tokens = int(np.count_nonzero(~seen[used]))
            seen[used] = True
            yield {
                "id": row["id"],
                "group": row["group"],
                "split": split,
                "held_out": split != "train",
                "bytes": len(row["text"].encode()),
                "tokens": len(tokens),
                "exact": None if text is None else text == row["text"],
                "new_tokens": new_tokens,
            }
        on_batch(len(batch))
