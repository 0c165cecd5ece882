"""Paired tests against SciPy and statsmodels, joined tables, non-inferiority, Holm, power."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, TTestPower
from statsmodels.stats.proportion import proportion_effectsize

from genwright.core import DataError, Derivation, Estimate, SpecError
from genwright.measure import (
    derive,
    holm,
    independent_difference,
    non_inferiority,
    pair,
    power_paired_means,
    power_proportions,
    sample_size_paired_means,
    sample_size_proportions,
)
from genwright.measure.paired_tests import mcnemar, wilcoxon

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [6, 30, 200])
def test_wilcoxon_equals_scipy(n: int) -> None:
    differences = RNG.normal(0.2, 1, n)
    assert wilcoxon(differences)[0] == pytest.approx(stats.wilcoxon(differences).pvalue, rel=1e-12)


def test_wilcoxon_on_ties_zeros_and_clusters() -> None:
    assert wilcoxon(np.zeros(5))[0] == 1.0
    assert "normal approximation, 4 non-zero" in wilcoxon(np.array([1.0, -1, 1, 1, 0]))[1]
    table = {"a": [1.0, 2, 3, 4], "b": [0.0, 0, 0, 0], "g": ["x", "x", "y", "y"]}
    found = derive(table, derivation=Derivation("wilcoxon_p", {"a": "a", "b": "b"}, cluster="g"))
    assert (found.value, found.n) == (0.5, 4)
    assert "means of 2 clusters by g" in found.method


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (3, 9), (10, 10), (40, 15)])
def test_mcnemar_equals_statsmodels(only_a: int, only_b: int) -> None:
    a = np.array([1.0] * only_a + [0.0] * only_b + [1.0, 0.0])
    b = np.array([0.0] * only_a + [1.0] * only_b + [1.0, 0.0])
    exact, mid = mcnemar(a, b, kind="exact")[0], mcnemar(a, b)[0]
    assert exact == pytest.approx(min(1.0, sm_mcnemar([[1, only_a], [only_b, 1]], exact=True).pvalue))
    n = only_a + only_b
    expected = 1.0 if only_a == only_b else exact - stats.binom.pmf(min(only_a, only_b), n, 0.5)
    assert mid == pytest.approx(expected)


def test_holm_equals_statsmodels() -> None:
    p = [*RNG.uniform(0, 0.2, 12), 0.0, 1.0]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []


RATIO = Derivation("ratio", {"numerator": "bits", "denominator": "bytes"}, where={"split": "test"}, cluster="group")


def _table(ids: str, *, shift: float) -> dict[str, list[Any]]:
    n = len(ids)
    sizes = [100.0 + 10 * ord(i) for i in ids]
    return {
        "id": list(ids),
        "group": [f"g{ord(i) // 2}" for i in ids],
        "split": ["test"] * (n - 1) + ["train"],
        "bytes": sizes,
        "bits": [size * (2 + shift + 0.01 * (ord(i) % 3)) for size, i in zip(sizes, ids, strict=True)],
        "ok": [int(ord(i) % 2 == 0) for i in ids],
    }


def test_pairing_joins_by_id_whatever_the_order() -> None:
    new, old = _table("hgfedcba", shift=0.1), _table("bcdefghiz", shift=0.0)
    paired = pair(new, RATIO, old=old, old_derivation=RATIO)
    assert paired is not None
    assert paired.columns["id"] == list("hgfedcb")
    found = derive(paired.columns, derivation=paired.difference)
    assert found.value == pytest.approx(0.1)
    assert found.low is not None and found.low > 0.09
    assert found.n == 7
    p = derive(paired.columns, derivation=paired.test).value
    assert p is not None and 0 < p < 1


def test_pairing_needs_shared_units_of_a_mean_or_ratio() -> None:
    new, old = _table("abc", shift=0), _table("xyz", shift=0)
    assert pair(new, RATIO, old=old, old_derivation=RATIO) is None
    count = Derivation("count", {})
    assert pair(new, count, old=new, old_derivation=count) is None
    with pytest.raises(DataError, match="'a' occurs twice"):
        pair(_table("aab", shift=0), RATIO, old=new, old_derivation=RATIO)


def test_pairing_of_proportions_uses_mcnemar() -> None:
    share = Derivation("proportion", {"value": "ok"}, interval="wilson")
    new, old = _table("abcdef", shift=0), _table("abcdef", shift=0)
    old["ok"] = [0] * 6
    paired = pair(new, share, old=old, old_derivation=share)
    assert paired is not None
    assert derive(paired.columns, derivation=paired.difference).value == 0.5
    assert "McNemar" in derive(paired.columns, derivation=paired.test).method


def test_pairing_of_aucs_uses_delong_and_skips_rows_without_a_name() -> None:
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, 300)
    good, poor = label + rng.normal(0, 0.8, 300), label + rng.normal(0, 3.0, 300)
    ids = [f"u{at}" for at in range(300)]
    auc = Derivation("auc", {"score": "score", "label": "label"}, interval="delong")
    new = {"id": [*ids, None, None], "score": [*good.tolist(), 9.0, 9.0], "label": [*label.tolist(), 0, 0]}
    old = {"id": ids[::-1], "score": poor[::-1].tolist(), "label": label[::-1].tolist()}
    paired = pair(new, auc, old=old, old_derivation=auc)
    assert paired is not None
    difference, p = derive(paired.columns, derivation=paired.difference), derive(paired.columns, derivation=paired.test)
    assert difference.n == 300 and difference.value is not None and 0.1 < difference.value < 0.5
    assert p.value is not None and p.value < 1e-6
    # The normal p-value and DeLong's interval are of one standard error.
    assert difference.high is not None
    error = (difference.high - difference.value) / norm.ppf(0.975)
    assert p.value == pytest.approx(2 * norm.sf(difference.value / error), rel=1e-6)


@pytest.mark.parametrize("size", [1, 5])
def test_the_delong_test_holds_its_level_in_clusters(size: int) -> None:
    rng, refused, rounds = np.random.default_rng(size), 0, 600
    derivation = Derivation("delong_p", {"a": "a", "b": "b", "label": "label"}, cluster="g")
    for _ in range(rounds):
        units = 40 * 5 // size
        label = np.repeat(rng.integers(0, 2, units), size)
        a, b = (label + np.repeat(rng.normal(0, 1, units), size) + rng.normal(0, 0.3, units * size) for _ in range(2))
        columns = {
            "a": a.tolist(),
            "b": b.tolist(),
            "label": label.tolist(),
            "g": np.repeat(range(units), size).tolist(),
        }
        p = derive(columns, derivation=derivation).value
        assert p is not None
        refused += p < 0.05
    assert 0.025 < refused / rounds < 0.085  # 40 clusters: somewhat above 5 %


def test_non_inferiority_needs_the_whole_interval() -> None:
    base = RNG.normal(2, 0.5, 60)
    same, worse = list(base + RNG.normal(0, 0.02, 60)), list(base + 0.1)
    assert non_inferiority(same, list(base), margin=0.02)[0]
    assert not non_inferiority(worse, list(base), margin=0.02)[0]
    assert non_inferiority(worse, list(base), margin=0.02, better="higher")[0]
    assert not non_inferiority([1.0], [1.0], margin=1.0)[0]
    with pytest.raises(DataError, match="margin is -1"):
        non_inferiority([1.0], [1.0], margin=-1)


@pytest.mark.parametrize(("effect", "n"), [(0.1, 20), (0.5, 34), (1.0, 8)])
def test_power_of_paired_means_equals_statsmodels(effect: float, n: int) -> None:
    ours = power_paired_means(effect, sd=2.0, n=n)
    assert ours == pytest.approx(TTestPower().power(effect / 2.0, n, 0.05), abs=1e-6)
    size = sample_size_paired_means(effect, sd=2.0)
    assert size == math.ceil(TTestPower().solve_power(effect / 2.0, power=0.8, alpha=0.05))


def test_power_of_proportions_equals_statsmodels() -> None:
    effect = proportion_effectsize(0.6, 0.5)
    assert power_proportions(0.6, 0.5, n=100) == pytest.approx(NormalIndPower().power(effect, 100, 0.05), abs=1e-9)
    expected = NormalIndPower().solve_power(effect, power=0.8, alpha=0.05)
    assert sample_size_proportions(0.6, 0.5) == math.ceil(expected)
    with pytest.raises(SpecError, match="effect of 0"):
        sample_size_proportions(0.5, 0.5)


def _measured(value: float, low: float, high: float, level: float = 0.95) -> Estimate:
    return Estimate(value, 100, "some way", low, high, level)


def test_independent_estimates_differ_by_both_their_errors() -> None:
    found = independent_difference(_measured(0.7, 0.6, 0.8), _measured(0.5, 0.4, 0.6))
    assert found is not None
    difference, p = found
    assert difference.value == pytest.approx(0.2) and difference.n == 100
    assert (difference.low, difference.high) == (pytest.approx(0.2 - 0.02**0.5), pytest.approx(0.2 + 0.02**0.5))
    assert 0.001 < p < 0.05
    closer, p_closer = independent_difference(_measured(0.6, 0.5, 0.7), _measured(0.5, 0.4, 0.6)) or (None, None)
    assert closer is not None and closer.low is not None and closer.low < 0 and p_closer is not None and p_closer > 0.05
    bare = Estimate(0.5, 100, "some way")
    assert independent_difference(bare, _measured(0.5, 0.4, 0.6)) is None
    assert independent_difference(_measured(0.5, 0.4, 0.6, 0.9), _measured(0.5, 0.4, 0.6)) is None


def test_the_interval_of_independent_estimates_covers() -> None:
    rng, covered, agree = np.random.default_rng(0), 0, 0
    for _ in range(400):
        sides = []
        for share, n in ((0.8, 60), (0.9, 90)):
            columns = {"value": rng.binomial(1, share, n).tolist()}
            sides.append(derive(columns, derivation=Derivation("proportion", {"value": "value"}, interval="wilson")))
        found = independent_difference(sides[0], sides[1])
        assert found is not None and found[0].low is not None and found[0].high is not None
        covered += found[0].low <= -0.1 <= found[0].high
        agree += (found[1] < 0.05) != (found[0].low <= 0 <= found[0].high)
    assert 0.92 <= covered / 400 <= 0.98
    assert agree == 400
