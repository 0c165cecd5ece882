"""What synthetic rows give away about the rows they were learnt from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from genwright.core.protocols import Candidate
from genwright.modalities.table.matrix import distances
from genwright.modalities.table.scores import Row, row


def membership(candidate: Candidate, train: pa.Table, test: pa.Table, seed: int) -> list[Row]:
    """How near the nearest of the candidate's rows is, for train rows (members) and as many held-out rows.

    It sees one attack, by distance; what a stronger one finds is not covered.
    """
    out = []
    for label, rows in _equally_many(train, test, seed):
        gaps, _ = distances(rows, candidate.rows)
        groups = rows.column("group").to_pylist()
        out += [
            row("membership", candidate, label=label, score=-gap, group=group)
            for gap, group in zip(gaps.tolist(), groups, strict=True)
        ]
    return out


def closest_records(candidate: Candidate, train: pa.Table, test: pa.Table, seed: int) -> list[Row]:
    """Whether each of the candidate's rows is nearer to a train row than to any of as many held-out ones; ties half.

    A share of one half shows nothing: leaks that membership attacks find leave it there. Source: Yao et al. 2025,
    "The DCR Delusion" (arXiv:2505.01524).
    """
    (_, members), (_, others) = _equally_many(train, test, seed)
    # Both at the scale of the same rows, or the two distances could not be compared.
    both = pa.concat_tables([members, others])
    to_train, to_test = (distances(candidate.rows, side, scale=both)[0] for side in (members, others))
    nearer = np.where(to_train == to_test, 0.5, to_train < to_test)
    return [row("dcr", candidate, value=value) for value in nearer.tolist()]


def _equally_many(train: pa.Table, test: pa.Table, seed: int) -> tuple[tuple[int, pa.Table], tuple[int, pa.Table]]:
    n = min(len(train), len(test))
    chosen = np.random.default_rng(seed).permutation(len(train))[:n]
    return (1, train.take(pa.array(chosen))), (0, test.slice(0, n))
