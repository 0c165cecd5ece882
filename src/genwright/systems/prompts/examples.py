"""Solved examples for prompts: drawn at random from the train split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from genwright.modalities.chat.messages import answer, chats, question
from genwright.modalities.dataset import read_rows
from genwright.systems.prompts.pattern import PatternConfig
from genwright.systems.requests import Chat


def draw_examples(pattern: PatternConfig, /, *, dataset: Path, seed: int) -> tuple[Chat, ...]:
    """As many chats with answers as the pattern may show; fewer where the split has fewer."""
    if not pattern.num_examples:
        return ()
    train = read_rows(dataset, split="train")
    places = np.random.default_rng(seed).permutation(len(train))[: pattern.num_examples]
    drawn = chats(train.take(pa.array(places)))
    return tuple((*question(chat), ("assistant", answer(chat))) for chat in drawn)
