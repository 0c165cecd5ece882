"""Splitting by group, with shares counted in bytes."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from genwright.core import DataError
from genwright.stages.data.config import SplitConfig

HELD_OUT = ("validation", "test")
SPLITS = ("train", *HELD_OUT)
GOLDEN_RATIO = (5**0.5 - 1) / 2


def split_groups(
    sizes: Iterable[tuple[str, int]], *, config: SplitConfig, seed: int, wanted: Sequence[str] = SPLITS
) -> dict[str, str]:
    """The split of each group, from the (group, bytes) of every document.

    Groups are placed from the largest to the smallest, each by chance in proportion to the room that a split has
    left, and only where it fits: so shares are met to within the smallest groups. A group larger than
    `max_group_share` of a held-out split stays out of it: no single one decides what is measured there.
    The draws are an additive recurrence from a random start, spread evenly over any stretch of sizes, so that each
    split gets its share of large and of small groups. The order in which documents are given does not matter.

    Raises:
        DataError: there are fewer groups than splits.
    """
    bytes_of: dict[str, int] = defaultdict(int)
    for group, size in sizes:
        bytes_of[group] += size
    _enough(bytes_of)
    total = sum(bytes_of.values())
    room = {"validation": config.validation * total, "test": config.test * total}
    largest = {split: config.max_group_share * room[split] for split in HELD_OUT}
    room["train"] = total - sum(room.values())
    draw = random.Random(seed).random()
    placed: dict[str, str] = {}
    for group in sorted(bytes_of, key=lambda name: (-bytes_of[name], name)):
        draw = (draw + GOLDEN_RATIO) % 1.0
        size = bytes_of[group]
        fitting = {split: room[split] for split in HELD_OUT if size <= min(room[split], largest[split])}
        split = _choose({**fitting, "train": room["train"]}, draw=draw)
        placed[group] = split
        room[split] -= size
    _fill_empty(placed, bytes_of, wanted)
    return placed


def _choose(room: Mapping[str, float], *, draw: float) -> str:
    """One of the splits, in proportion to its room; train where no split has any."""
    mark = draw * sum(max(left, 0.0) for left in room.values())
    for split, left in room.items():
        mark -= max(left, 0.0)
        if mark < 0:
            return split
    return "train"


def _fill_empty(placed: dict[str, str], bytes_of: Mapping[str, int], wanted: Sequence[str]) -> None:
    """An empty split takes a group of the split that has most: train the largest, the others the smallest."""
    for split in wanted:
        if split not in placed.values():
            donor = max(SPLITS, key=list(placed.values()).count)
            spare = sorted(
                (name for name, at in placed.items() if at == donor), key=lambda name: (bytes_of[name], name)
            )
            placed[spare[-1 if split == "train" else 0]] = split


def _enough(bytes_of: Mapping[str, int]) -> None:
    if len(bytes_of) < 3:
        raise DataError(
            f"{len(bytes_of)} group(s) are left, but train, validation and test need 3 at least: "
            "what is of one group, and near-duplicates of documents, stay in one split",
            hint="add data, or make groups smaller: of documents group_by = 'document' and split_documents, "
            "of rows another group_column or group",
        )
