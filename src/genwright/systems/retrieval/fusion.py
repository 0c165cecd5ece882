"""Rankings joined into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

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


def weighted_scores(
    cosines: Mapping[int, float], bm25: Mapping[int, float], /, *, bm25_weight: float
) -> list[tuple[int, float]]:
    """Items with their fused scores, the best first; of equal ones the smaller. Every item has a cosine.

    The score is the cosine plus the weighted share of the best BM25. Source: Bruch, Gai and Ingber, TOIS 2023 (a convex
    combination of scores, normalised by their own range, before reciprocal ranks).

    >>> weighted_scores({7: 0.5, 3: 0.45}, {3: 12.0}, bm25_weight=0.2)[0][0]
    3
    """
    best = max(bm25.values(), default=0.0) or 1.0
    scores = {item: cosine + bm25_weight * bm25.get(item, 0.0) / best for item, cosine in cosines.items()}
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))


def at_most_per(groups: Sequence[Hashable], /, *, most: int) -> list[int]:
    """Places of the first `most` of each group, in order."""
    held: Counter[Hashable] = Counter()
    kept: list[int] = []
    for place, group in enumerate(groups):
        held[group] += 1
        if held[group] <= most:
            kept.append(place)
    return kept
