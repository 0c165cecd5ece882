"""Fréchet and kernel distances, against closed forms and matrix functions of SciPy."""

from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm

from genwright.core import Derivation, Estimate
from genwright.measure import derive
from genwright.measure.features import frechet_distance, mmd, settled

RNG = np.random.default_rng(1)


def _derive(estimator: Any, sides: dict[int, np.ndarray], **more: Any) -> Estimate:
    columns: dict[str, list[Any]] = {"side": [side for side, rows in sides.items() for _ in rows]}
    if "groups" in more:
        columns["group"] = more.pop("groups")
    features = np.concatenate(list(sides.values())).astype(np.float32)
    return derive(
        columns, derivation=Derivation(estimator, {"side": "side"}, **more), arrays={"features": features}.__getitem__
    )


def _by_root(a: np.ndarray, b: np.ndarray) -> float:
    A, B = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return float(shift + np.trace(A + B - 2 * np.real(sqrtm(A @ B))))


def test_frechet_equals_the_matrix_root() -> None:
    a = RNG.normal(size=(300, 8)) @ RNG.normal(size=(8, 8))
    b = 1 + RNG.normal(size=(200, 8)) @ RNG.normal(size=(8, 8))
    assert _derive("frechet", {0: a, 1: b}).value == pytest.approx(_by_root(a, b), rel=1e-5)


def test_frechet_of_diagonal_gaussians_is_the_closed_form() -> None:
    A, B = np.diag([1.0, 4.0, 0.0]), np.diag([9.0, 1.0, 0.0])
    assert frechet_distance(np.zeros(3), A, np.ones(3), B) == pytest.approx(3 + (1 - 3) ** 2 + (2 - 1) ** 2)
    assert frechet_distance(np.ones(3), A, np.ones(3), A) == 0.0


def test_frechet_of_fewer_rows_than_dimensions_is_stable() -> None:
    a = RNG.normal(size=(20, 64))
    assert _derive("frechet", {0: a, 1: a[::-1]}).value == pytest.approx(0.0, abs=1e-4)


def test_frechet_interval_is_around_the_estimate_and_resamples_each_side() -> None:
    a, b = RNG.normal(size=(200, 4)), 0.5 + RNG.normal(size=(150, 4))
    found = _derive("frechet", {0: a, 1: b}, interval="bootstrap", resamples=100)
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found == _derive("frechet", {0: a, 1: b}, interval="bootstrap", resamples=100)
    groups = [f"a{row // 10}" for row in range(200)] + [f"b{row // 10}" for row in range(150)]
    grouped = _derive("frechet", {0: a, 1: b}, interval="bootstrap", resamples=100, cluster="group", groups=groups)
    assert grouped.value == found.value and "35 clusters" in grouped.method


def test_ratio_is_over_the_floor_with_equal_numbers() -> None:
    a, real, floor = 1 + RNG.normal(size=(150, 3)), RNG.normal(size=(200, 3)), RNG.normal(size=(90, 3))
    found = _derive("frechet_ratio", {0: a, 1: real, 2: floor}, interval="bootstrap", resamples=50)
    assert found.value == pytest.approx(_by_root(a[:90], real) / _by_root(floor, real), rel=1e-5)
    assert found.n == 90 + 200 + 90
    assert found.low is not None and found.high is not None and 1 < found.low < found.value < found.high
    none = _derive("frechet_ratio", {0: a, 1: real})
    assert none.value is None and "fewer than 2 rows" in str(none.reason)


def test_mmd_equals_the_sums_over_pairs() -> None:
    x, y = RNG.normal(size=(7, 3)), RNG.normal(size=(5, 3))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert mmd(x, y) == pytest.approx(xx + yy - 2 * xy, rel=1e-6)


def test_kid_is_the_same_in_blocks_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = RNG.normal(size=(50, 4)), 1 + RNG.normal(size=(40, 4))
    whole = _derive("kid", {0: x, 1: y}, interval="t", parameter=4)
    monkeypatch.setattr("genwright.measure.features.BLOCK_ROWS", 7)
    assert _derive("kid", {0: x, 1: y}, interval="t", parameter=4) == whole
    assert whole.low is not None and whole.value is not None and 0 < whole.low < whole.value
    assert "4 blocks" in whole.method


def test_kid_keeps_clusters_whole_and_says_when_blocks_are_too_small() -> None:
    x, y = RNG.normal(size=(12, 2)), RNG.normal(size=(12, 2))
    found = _derive("kid", {0: x, 1: y}, interval="t")
    assert found.value is not None and found.low is None and "with 10 blocks" in str(found.reason)
    groups = ["a"] * 6 + ["b"] * 6 + ["c"] * 6 + ["d"] * 6
    clustered = _derive("kid", {0: x, 1: y}, interval="t", parameter=2, cluster="group", groups=groups)
    halves = [
        mmd(*(side[at].astype(np.float32).astype(np.float64) for side in (x, y))) for at in (slice(6), slice(6, 12))
    ]
    assert clustered.high is not None and clustered.value is not None
    assert clustered.high - clustered.value == pytest.approx(12.7062 * np.std(halves, ddof=1) / 2**0.5, rel=1e-4)


@pytest.mark.parametrize("estimator", ["frechet", "kid"])
def test_one_row_of_a_side_is_not_estimable(estimator: Any) -> None:
    found = _derive(estimator, {0: RNG.normal(size=(1, 2)), 1: RNG.normal(size=(9, 2))})
    assert found.value is None and "fewer than 2 rows" in str(found.reason)


def test_results_are_rounded_to_the_scale_of_the_features() -> None:
    assert settled(1.23456789e-4, scale=1000.0, digits=8) == 0.00012
    assert settled(123.456789012345, scale=50.0, digits=8) == 123.456789
