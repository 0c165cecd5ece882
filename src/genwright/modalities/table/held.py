"""Whether made rows keep to the rules of their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from genwright.core.protocols import Candidate
from genwright.modalities.table.atoms import codes_of_groups
from genwright.modalities.table.derived import seen_combinations
from genwright.modalities.table.rules import Rules, combinations_of
from genwright.modalities.table.scores import Row, row


@dataclass(frozen=True)
class Kept:
    """What the train split allows: its combinations that three groups hold, and none of its keys."""

    rules: Rules
    combinations: Sequence[frozenset[str]]
    taken: Mapping[str, frozenset[Any]]

    @classmethod
    def of(cls, train: pa.Table, rules: Rules, /) -> Self:
        """By the whole train split."""
        groups = codes_of_groups(train)
        combinations = [frozenset(seen_combinations(train, names, groups)) for names in rules.together]
        return cls(rules, combinations, {name: frozenset(train.column(name).to_pylist()) for name in rules.keys})

    def rows(self, candidate: Candidate) -> list[Row]:
        """1 for each row that breaks no rule. A key that is missing, there twice or a train row's breaks one."""
        made = candidate.rows
        held = ~self.rules.out_of_order(made)
        for names, known in zip(self.rules.together, self.combinations, strict=True):
            held &= np.array([text in known for text in combinations_of(made, names)], dtype=np.bool_)
        for name in self.rules.keys:
            cells = made.column(name).to_pylist()
            counts, taken = Counter(cells), {*self.taken[name], None}
            held &= np.array([counts[cell] == 1 and cell not in taken for cell in cells], dtype=np.bool_)
        return [row("rules", candidate, value=float(one)) for one in held]
