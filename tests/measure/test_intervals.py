"""Intervals against SciPy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from genwright.core import Derivation
from genwright.measure import derive, intervals
from genwright.measure.resample import replicates, unit_indices
from genwright.measure.statistic import Statistic, Term

X = np.random.default_rng(3).exponential(1.0, 40)
Y = np.random.default_rng(4).lognormal(0, 1, 40)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 20), (3, 7), (20, 20), (57, 100)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_equals_statsmodels(successes: int, n: int, level: float) -> None:
    found = intervals.wilson(successes, n=n, level=level)
    assert (found.low, found.high) == pytest.approx(
        proportion_confint(successes, n, alpha=1 - level, method="wilson"), abs=1e-12
    )


def test_t_equals_scipy() -> None:
    found = derive({"x": list(X)}, derivation=Derivation("mean", {"value": "x"}, interval="t", level=0.9))
    expected = stats.ttest_1samp(X, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_percentiles_agree_with_scipy_bootstrap() -> None:
    statistic = Statistic([Term(X, Y)])
    ours = np.quantile(replicates(statistic, resamples=20_000, seed=1), [0.025, 0.975])
    expected = stats.bootstrap(
        (X, Y),
        lambda x, y, axis: x.sum(axis=axis) / y.sum(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
        vectorized=True,
    ).confidence_interval
    assert ours == pytest.approx([expected.low, expected.high], rel=0.02)


def test_standard_error_of_a_ratio_equals_the_bootstrap_spread() -> None:
    statistic = Statistic([Term(X * Y, Y), Term(2 * Y + X, Y, -1.0)])
    spread = replicates(statistic, resamples=5000, seed=0).std()
    assert statistic.standard_error() == pytest.approx(spread, rel=0.15)
    assert statistic.influence().sum() == pytest.approx(0, abs=1e-12)


def test_effective_units_of_equal_and_unequal_weights() -> None:
    assert Statistic([Term(X, np.ones(40))]).effective_units() == pytest.approx(40)
    assert Statistic([Term(X, np.array([1000.0] + [1.0] * 39))]).effective_units() < 1.1
    assert Statistic([Term(X, None)]).effective_units() == 40


def test_indices_are_uniform_and_independent_of_the_block() -> None:
    drawn = np.concatenate(list(unit_indices(7, resamples=30_000, seed=0)))
    assert drawn.shape == (30_000, 7)
    counts = np.bincount(drawn.ravel(), minlength=7)
    assert stats.chisquare(counts).pvalue > 0.001
    assert sum(len(block) for block in unit_indices(1_500_000, resamples=3, seed=0)) == 3
