"""How often the intervals of ranks, distributions and features hold the truth, by simulation with fixed seeds.

The truth of a distance between distributions, and of an entropy, is what samples of this size give on average.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genwright.core import Derivation
from genwright.measure import derive

Make = Callable[[np.random.Generator, int], tuple[dict[str, Any], np.ndarray | None]]
SHARES = [0.4, 0.3, 0.2, 0.1]
AUC, MEAN_SHIFT = 0.7602499389, 1.0  # Phi(1 / sqrt 2)


def _coverage(make: Make, derivation: Callable[[int], Derivation], *, n: int, truth: float, trials: int = 400) -> float:
    rng, hits = np.random.default_rng(7), 0
    for trial in range(trials):
        columns, features = make(rng, n)
        found = derive(columns, derivation=derivation(trial), arrays={"features": features}.__getitem__)  # type: ignore[arg-type]
        assert found.low is not None and found.high is not None
        hits += found.low <= truth <= found.high
    return hits / trials


def _average(make: Make, estimator: Any, roles: dict[str, str], *, n: int, trials: int = 1000) -> float:
    rng, values = np.random.default_rng(99), []
    for _ in range(trials):
        columns, features = make(rng, n)
        derivation = Derivation(estimator, roles)
        values.append(derive(columns, derivation=derivation, arrays={"features": features}.__getitem__).value)  # type: ignore[arg-type]
    return float(np.mean(np.array(values, dtype=np.float64)))


def _scored(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    label = np.repeat([1, 0], n)
    a = rng.normal(size=2 * n) + MEAN_SHIFT * label
    return {"label": label.tolist(), "a": a.tolist(), "b": (a + rng.normal(size=2 * n)).tolist()}, None


def _three(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], np.ndarray]:
    """Classes of unlike sizes; the score of a class is shifted for its own rows, so that each AUC is the same."""
    label = np.repeat([0, 1, 2], [n, 2 * n, 3 * n])
    return {"label": label.tolist()}, (rng.normal(size=(6 * n, 3)) + np.eye(3)[label]).astype(np.float32)


def _parted(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    label, part = np.tile(np.repeat([1, 0], n), 3), np.repeat([0, 1, 2], 2 * n)
    score = rng.normal(size=6 * n) + label * np.array([0.2, 1.0, 1.8])[part]
    return {"label": label.tolist(), "score": score.tolist(), "part": part.tolist()}, None


def _clustered(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    cluster = np.repeat(np.arange(2 * n), 5)
    label = (cluster < n).astype(int)
    a = rng.normal(size=2 * n)[cluster] + rng.normal(size=10 * n) + 2**0.5 * label
    return {"label": label.tolist(), "a": a.tolist(), "g": cluster.tolist()}, None


def _related(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    x, noise = rng.normal(size=(2, n))
    return {"x": x.tolist(), "y": (0.6 * x + 0.8 * noise).tolist(), "z": (x + 0.5 * noise).tolist()}, None


def _skewed(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    return {"x": rng.exponential(size=n).tolist()}, None


def _categories(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    cells = np.concatenate([rng.choice(4, size=n, p=SHARES), rng.choice(4, size=n)])
    return {"x": cells.tolist(), "side": [0] * n + [1] * n}, None


def _drawn(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], None]:
    return {"x": rng.choice(4, size=n, p=SHARES).tolist()}, None


def _vectors(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], np.ndarray]:
    features = rng.normal(size=(3 * n, 4)).astype(np.float32)
    features[:n] += 0.5
    sides = {"side": [0] * n + [1] * n + [2] * n, "two": [0] * n + [1] * n + [None] * n}
    return {**sides, "floor": [None] * n + [1] * n + [0] * n}, features


def _bootstrap(estimator: Any, roles: dict[str, str], **more: Any) -> Callable[[int], Derivation]:
    return lambda seed: Derivation(estimator, roles, interval="bootstrap", seed=seed, **{"resamples": 300, **more})


def _fixed(estimator: Any, roles: dict[str, str], interval: Any) -> Callable[[int], Derivation]:
    return lambda seed: Derivation(estimator, roles, interval=interval)


ONE, BOTH = {"score": "a", "label": "label"}, {"a": "a", "b": "b", "label": "label"}
MACRO, GAP = {"scores": "features", "label": "label"}, {"score": "score", "label": "label", "part": "part"}
XY, PREDICTED = {"x": "x", "y": "y"}, {"predicted": "z", "actual": "x"}
DIFFERENCE, SPEARMAN = 0.0687874938, 0.5819201041  # Phi(1/sqrt 2) - Phi(1/2); 6/pi asin(0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "derivation", "n", "truth"),
    [
        (_scored, _fixed("auc", ONE, "delong"), 20, AUC),
        (_scored, _bootstrap("auc", ONE), 20, AUC),
        (_clustered, _bootstrap("auc", ONE, cluster="g"), 20, AUC),
        (_scored, _fixed("auc_difference", BOTH, "delong"), 50, DIFFERENCE),
        (_scored, _bootstrap("auc_difference", BOTH), 50, DIFFERENCE),
        (_three, _fixed("macro_auc", MACRO, "delong"), 20, AUC),
        (_three, _bootstrap("macro_auc", MACRO), 20, AUC),
        (_skewed, _bootstrap("median", {"value": "x"}), 20, np.log(2)),
        (_skewed, _bootstrap("quantile", {"value": "x"}, parameter=0.9), 200, np.log(10)),
        (_related, _fixed("pearson", XY, "fisher"), 20, 0.6),
        (_related, _bootstrap("pearson", XY), 20, 0.6),
        (_related, _fixed("spearman", XY, "fisher"), 20, SPEARMAN),
        (_related, _bootstrap("spearman", XY), 50, SPEARMAN),
        (_related, _bootstrap("r2", PREDICTED), 50, 0.75),
        (_related, _bootstrap("mae", PREDICTED), 20, 0.5 * (2 / np.pi) ** 0.5),
        (_related, _bootstrap("rmse", PREDICTED), 20, 0.5),
    ],
)
def test_intervals_cover(make: Make, derivation: Callable[[int], Derivation], n: int, truth: float) -> None:
    assert 0.92 <= _coverage(make, derivation, n=n, truth=float(truth)) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "estimator", "roles", "n"),
    [
        (_drawn, "entropy", {"value": "x"}, 200),
        (_categories, "total_variation", {"value": "x", "side": "side"}, 100),
        (_categories, "jensen_shannon", {"value": "x", "side": "side"}, 100),
        (_categories, "cosine", {"value": "x", "side": "side"}, 100),
        (_categories, "wasserstein", {"value": "x", "side": "side"}, 200),
        (_vectors, "frechet", {"side": "two"}, 100),
        (_parted, "auc_gap", GAP, 50),
    ],
)
def test_intervals_of_distances_cover_their_average(make: Make, estimator: str, roles: dict[str, str], n: int) -> None:
    truth = _average(make, estimator, roles, n=n)
    derivation = _bootstrap(estimator, roles, resamples=100)
    assert 0.91 <= _coverage(make, derivation, n=n, truth=truth, trials=200) <= 0.99


@pytest.mark.slow
def test_kid_is_unbiased_and_covers() -> None:
    # With x ~ N(mu, I), E k(x, x') = E (x.x'/d + 1)^3 is a polynomial of the moments; here by a large sample.
    rng = np.random.default_rng(3)
    x, y = 0.5 + rng.normal(size=(2, 400_000, 4)), rng.normal(size=(2, 400_000, 4))
    xx, yy, xy = (((a * b).sum(axis=1) / 4 + 1) ** 3 for a, b in ((x[0], x[1]), (y[0], y[1]), (x[0], y[0])))
    truth = float(xx.mean() + yy.mean() - 2 * xy.mean())
    error = float(np.sqrt(xx.var() + yy.var() + 4 * xy.var()) / 400_000**0.5)
    assert _average(_vectors, "kid", {"side": "two"}, n=60) == pytest.approx(truth, abs=0.05 + 3 * error)
    assert 0.92 <= _coverage(_vectors, _fixed("kid", {"side": "two"}, "t"), n=100, truth=truth) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "estimator", "roles", "n", "more", "truth"),
    [
        (_skewed, "quantile", {"value": "x"}, 50, {"parameter": 0.9}, np.log(10)),
        (_categories, "wasserstein", {"value": "x", "side": "side"}, 50, {}, None),
        (_drawn, "entropy", {"value": "x"}, 20, {}, None),
    ],
)
def test_with_few_rows_they_fall_short_by_a_known_amount(
    make: Make, estimator: str, roles: dict[str, str], n: int, more: dict[str, Any], truth: float | None
) -> None:
    truth = _average(make, estimator, roles, n=n) if truth is None else float(truth)
    assert 0.83 <= _coverage(make, _bootstrap(estimator, roles, **more), n=n, truth=truth) < 0.95


@pytest.mark.slow
def test_the_frechet_ratio_falls_short_of_the_ratio_of_averages_by_a_known_amount() -> None:
    """Resamples lie nearer to each other than to 0, so that the logarithm of the floor varies too little."""
    made, floor = (_average(_vectors, "frechet", {"side": column}, n=100) for column in ("two", "floor"))
    derivation = _bootstrap("frechet_ratio", {"side": "side"}, resamples=100)
    assert 0.86 <= _coverage(_vectors, derivation, n=100, truth=made / floor, trials=200) < 0.95
