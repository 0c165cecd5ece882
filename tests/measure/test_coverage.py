"""How often the intervals hold the truth, by simulation with fixed seeds.

Nominal 95 % covers 93 to 97 % for every interval from 20 units on, and from 8 where the table below says so.
Where it falls short, the second test fixes by how much: skewed sums of few units, which no interval that knows
only the sample can mend.
"""

from collections.abc import Callable

import numpy as np
import pytest

from genwright.measure import intervals
from genwright.measure.statistic import Statistic, Term

Simulate = Callable[[np.random.Generator, int], tuple[Statistic, float]]
TRIALS = 1500


def _normal(rng: np.random.Generator, n: int) -> tuple[Statistic, float]:
    return Statistic([Term(rng.normal(1, 1, n), np.ones(n))]), 1.0


def _skewed(rng: np.random.Generator, n: int) -> tuple[Statistic, float]:
    return Statistic([Term(rng.exponential(1, n), np.ones(n))]), 1.0


def _ratio(rng: np.random.Generator, n: int) -> tuple[Statistic, float]:
    """Bits over bytes, with document sizes as spread as in our corpora (sigma of the logarithm 0.7)."""
    size = rng.lognormal(8, 0.7, n)
    return Statistic([Term(size * rng.normal(2, 0.4, n), size)]), 2.0


def _difference(rng: np.random.Generator, n: int) -> tuple[Statistic, float]:
    """Two systems on the same documents: most of the spread is shared."""
    size, shared = rng.lognormal(8, 1, n), rng.normal(2, 0.4, n)
    ours, theirs = size * (shared - 0.1 + rng.normal(0, 0.1, n)), size * shared
    return Statistic([Term(ours, size), Term(theirs, size, -1.0)]), -0.1


def _coverage(simulate: Simulate, *, n: int, method: str) -> float:
    rng, hits = np.random.default_rng(20), 0
    for trial in range(TRIALS):
        statistic, truth = simulate(rng, n)
        if method == "t":
            found = intervals.student_t(statistic, level=0.95)
        else:
            found = intervals.bootstrap(statistic, level=0.95, resamples=999, seed=trial)
        assert found.low is not None and found.high is not None
        hits += found.low <= truth <= found.high
    return hits / TRIALS


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 12, 20, 50])
@pytest.mark.parametrize("simulate", [_normal, _skewed, _ratio, _difference])
def test_bootstrap_covers(simulate: Simulate, n: int) -> None:
    assert 0.93 <= _coverage(simulate, n=n, method="bootstrap") <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 12, 50])
def test_t_covers_where_units_are_normal(n: int) -> None:
    assert 0.93 <= _coverage(_normal, n=n, method="t") <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("simulate", "method"), [(_ratio, "bootstrap"), (_skewed, "t")])
def test_with_five_units_it_falls_short_by_a_known_amount(simulate: Simulate, method: str) -> None:
    assert 0.86 <= _coverage(simulate, n=5, method=method) < 0.95


@pytest.mark.parametrize(("n", "share"), [(20, 0.1), (20, 0.5), (60, 0.9), (200, 0.97), (1000, 0.3)])
def test_wilson_covers(n: int, share: float) -> None:
    successes = np.random.default_rng(0).binomial(n, share, 4000)
    ends = {k: intervals.wilson(k, n=n, level=0.95) for k in range(n + 1)}
    hits = [(ends[int(k)].low or 0.0) <= share <= (ends[int(k)].high or 0.0) for k in successes]
    assert 0.93 <= np.mean(hits) <= 0.975
