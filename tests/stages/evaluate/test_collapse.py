"""A system that has collapsed is told from one that has not."""

import numpy as np
import pyarrow as pa

from genwright.modalities.table.modality import TableModality
from genwright.stages.evaluate.collapse import MOST_SAMPLES, reached


def table(n: int, seed: int, *, spread: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({"x": spread * rng.normal(size=n), "y": spread * rng.normal(size=n)})


def share(made: pa.Table, held_out: pa.Table) -> float:
    return float(np.mean([one for one in reached(made, held_out, TableModality()) if one is not None]))


def test_few_modes_reach_few_samples_even_where_no_two_are_equal() -> None:
    held_out = table(400, 1)
    real, collapsed = share(table(400, 2), held_out), share(table(400, 3, spread=0.02), held_out)
    assert real > 0.4
    assert collapsed < real / 5
    few = pa.concat_tables([table(4, 5)] * 100)
    assert share(few, held_out) <= 4 / 400


def test_illegal_samples_and_those_beyond_the_first_do_not_count() -> None:
    made = pa.table({"x": [1.0, float("inf"), 1.0], "y": [0.0, 0.0, 0.0]})
    assert reached(made, table(50, 1), TableModality()) == [True, None, False]
    none = pa.table({"x": [float("inf")], "y": [0.0]})
    assert reached(none, table(50, 1), TableModality()) == [None]
    found = reached(table(700, 1), table(700, 2), TableModality())
    assert sum(one is not None for one in found) == MOST_SAMPLES
