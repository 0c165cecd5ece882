"""What near-duplicates mean for a dataset: who goes, and who must share a split."""

from collections.abc import Sequence

from genwright.detect.groups import DisjointSets
from genwright.detect.near_duplicates import DuplicatePair
from genwright.stages.data.outcome import Row


def mark_near_duplicates(rows: Sequence[Row], /, *, pairs: Sequence[DuplicatePair]) -> dict[int, int]:
    """For each document that another stands for, the index of that other; `rows` learn who has a near-duplicate.

    Among documents that resemble one another, directly or through others, the longest stays, the first of equals.
    A document contained in another goes, without joining the others that this one contains.
    """
    for row in rows:
        row.near_duplicate = False
    stands_for: dict[int, int] = {}
    for group in _similar_groups(len(rows), pairs):
        keeper = max(group, key=lambda index: (rows[index].bytes_out, -index))
        stands_for |= {index: keeper for index in group if index != keeper}
    for pair in pairs:
        if pair.kind == "contained" and pair.shorter is not None and pair.shorter not in stands_for:
            stands_for[pair.shorter] = pair.second if pair.shorter == pair.first else pair.first
    _break_circles(stands_for, rows)
    for index in stands_for:
        rows[index].near_duplicate = True
    return stands_for


def group_names(rows: Sequence[Row], /, *, pairs: Sequence[DuplicatePair]) -> list[str]:
    """For each document the name of its group, where near-duplicates pull their whole groups together."""
    sets = DisjointSets(len(rows))
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        sets.union(first.setdefault(row.group, index), index)
    sets.union_pairs((pair.first, pair.second) for pair in pairs)
    return [rows[sets.find(index)].group for index in range(len(rows))]


def _similar_groups(size: int, pairs: Sequence[DuplicatePair]) -> list[list[int]]:
    sets = DisjointSets(size)
    sets.union_pairs((pair.first, pair.second) for pair in pairs if pair.kind == "similar")
    return sets.groups()


def _break_circles(stands_for: dict[int, int], rows: Sequence[Row]) -> None:
    """Each chain of stand-ins ends at a document that stays; a circle is cut at its longest document."""
    for start in sorted(stands_for):
        path = [start]
        while (following := stands_for.get(path[-1])) is not None and following not in path:
            path.append(following)
        if following is not None:
            circle = path[path.index(following) :]
            del stands_for[max(circle, key=lambda index: (rows[index].bytes_out, -index))]
