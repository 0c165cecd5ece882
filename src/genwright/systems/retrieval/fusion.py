"""Rankings joined into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

Ranking = Sequence[int]


def reciprocal_ranks(rankings: Sequence[tuple[Ranking, float]], /, *, k: float) -> list[tuple[int, float]]:
    """Items with their fused scores, the best first; of equal ones the smaller. A ranking is given with its weight.

    An item at rank r of a ranking gets weight / (k + r). Source: Cormack, Clarke and Buettcher, SIGIR 2009, with
    weights.

    >>> reciprocal_ranks([([7, 3], 2.0), ([3], 1.0)], k=10)[0][0]
    3
    """
    scores: dict[int, float] = {}
    for ranking, weight in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))


def at_most_per(groups: Sequence[Hashable], /, *, most: int | None) -> list[int]:
    """Places of the first `most` of each group, in order; all where it is None."""
    held: Counter[Hashable] = Counter()
    kept: list[int] = []
    for place, group in enumerate(groups):
        held[group] += 1
        if most is None or held[group] <= most:
            kept.append(place)
    return kept
