"""Disjoint sets: what is connected by pairs, directly or through others."""

from collections.abc import Iterable

import numpy as np


class DisjointSets:
    """Groups of the integers 0..n-1, merged pair by pair; the smallest member stands for its group."""

    def __init__(self, size: int, /) -> None:
        self._parent = np.arange(size, dtype=np.int64)

    def find(self, item: int, /) -> int:
        """The smallest member of the item's group."""
        parent = self._parent
        root = item
        while parent[root] != root:
            root = int(parent[root])
        while parent[item] != root:
            parent[item], item = root, int(parent[item])
        return root

    def union(self, a: int, b: int, /) -> None:
        """Merge the groups of two members."""
        first, second = sorted((self.find(a), self.find(b)))
        self._parent[second] = first

    def union_pairs(self, pairs: Iterable[tuple[int, int]], /) -> None:
        """Merge along every pair."""
        for a, b in pairs:
            self.union(a, b)

    def groups(self, *, min_size: int = 2) -> list[list[int]]:
        """The groups of at least `min_size` members, each sorted, ordered by smallest member."""
        members: dict[int, list[int]] = {}
        for item in range(len(self._parent)):
            members.setdefault(self.find(item), []).append(item)
        return [group for _, group in sorted(members.items()) if len(group) >= min_size]
