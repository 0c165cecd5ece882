"""Estimators of order, agreement and distributions, against SciPy, scikit-learn and statsmodels."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cosine, jensenshannon
from sklearn import metrics

from genwright.core import DataError, Derivation, Estimate, SpecError
from genwright.measure import derive

RNG = np.random.default_rng(5)
N = 60
LABEL = (np.arange(N) % 3 == 0).astype(int)
SCORE = np.round(RNG.normal(size=N) + LABEL, 1)  # rounded, so that there are ties
OTHER = np.round(SCORE + RNG.normal(size=N), 1)
CATEGORY = [str(cell) for cell in RNG.integers(0, 5, N)]
TABLE: dict[str, list[Any]] = {
    "label": LABEL.tolist(),
    "score": SCORE.tolist(),
    "other": OTHER.tolist(),
    "category": CATEGORY,
    "group": [f"g{row // 4}" for row in range(N)],
    "two": (LABEL * 2).tolist(),
    "one": [1] * N,
}
PREDICTED = {"predicted": "other", "actual": "score"}
XY = {"x": "score", "y": "other"}
SIDED = {"value": "category", "side": "label"}


def _shares(side: int) -> np.ndarray:
    held = [cell for cell, label in zip(CATEGORY, LABEL, strict=True) if label == side]
    return np.array([held.count(str(k)) / len(held) for k in range(5)])


def _derive(estimator: Any, columns: dict[str, str], **more: Any) -> Estimate:
    return derive(TABLE, derivation=Derivation(estimator, columns, **more))


@pytest.mark.parametrize(
    ("estimator", "columns", "expected"),
    [
        ("auc", {"score": "score", "label": "label"}, metrics.roc_auc_score(LABEL, SCORE)),
        (
            "auc_difference",
            {"a": "score", "b": "other", "label": "label"},
            metrics.roc_auc_score(LABEL, SCORE) - metrics.roc_auc_score(LABEL, OTHER),
        ),
        ("median", {"value": "score"}, np.median(SCORE)),
        ("pearson", XY, stats.pearsonr(SCORE, OTHER).statistic),
        ("spearman", XY, stats.spearmanr(SCORE, OTHER).statistic),
        ("r2", PREDICTED, metrics.r2_score(SCORE, OTHER)),
        ("mae", PREDICTED, metrics.mean_absolute_error(SCORE, OTHER)),
        ("rmse", PREDICTED, metrics.root_mean_squared_error(SCORE, OTHER)),
        ("entropy", {"value": "category"}, stats.entropy([CATEGORY.count(str(k)) for k in range(5)])),
        ("total_variation", SIDED, np.abs(_shares(0) - _shares(1)).sum() / 2),
        ("jensen_shannon", SIDED, jensenshannon(_shares(0), _shares(1)) ** 2),
        ("cosine", SIDED, 1 - cosine(_shares(0), _shares(1))),
        (
            "wasserstein",
            {"value": "score", "side": "label"},
            stats.wasserstein_distance(SCORE[LABEL == 0], SCORE[LABEL == 1]),
        ),
    ],
)
def test_values_equal_the_oracle(estimator: str, columns: dict[str, str], expected: float) -> None:
    plain = _derive(estimator, columns)
    assert plain.value == pytest.approx(float(expected), rel=1e-12)
    assert (plain.n, plain.low, plain.reason) == (N, None, None)
    for cluster in (None, "group"):
        found = _derive(estimator, columns, interval="bootstrap", cluster=cluster, resamples=200)
        assert found.low is not None and found.high is not None and found.value == plain.value
        assert found.low < found.value < found.high
        assert found == _derive(estimator, columns, interval="bootstrap", cluster=cluster, resamples=200)
        assert ("clusters by group" in found.method) == (cluster is not None)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_quantiles_equal_numpy(share: float) -> None:
    found = _derive("quantile", {"value": "score"}, parameter=share)
    assert found.value == pytest.approx(float(np.quantile(SCORE, share)), rel=1e-12)


def test_a_resample_is_the_statistic_of_the_repeated_rows() -> None:
    from genwright.measure.derive import _WEIGHTED
    from genwright.measure.units import select_rows

    weights = RNG.integers(0, 4, N).astype(float)
    rows = np.repeat(np.arange(N), weights.astype(int))
    repeated = {name: [cells[row] for row in rows] for name, cells in TABLE.items()}
    for estimator, columns in {
        "median": {"value": "score"},
        "spearman": XY,
        "pearson": XY,
        "r2": PREDICTED,
        "auc": {"score": "score", "label": "label"},
        "entropy": {"value": "category"},
        "jensen_shannon": SIDED,
        "cosine": SIDED,
        "wasserstein": {"value": "score", "side": "label"},
    }.items():
        derivation = Derivation(estimator, columns)  # type: ignore[arg-type]
        of = _WEIGHTED[estimator](select_rows(TABLE, derivation=derivation), derivation).of
        assert of(weights[None])[0] == pytest.approx(derive(repeated, derivation=derivation).value, rel=1e-12)


def test_delong_equals_the_structural_components_written_out() -> None:
    """Every pair compared, as in the paper, against what the code does by ranks."""

    def components(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = score[LABEL == 1][:, None] - score[LABEL == 0][None]
        kernel = (pairs > 0) + 0.5 * (pairs == 0)
        return kernel.mean(axis=1), kernel.mean(axis=0)

    def error(ones: np.ndarray, zeros: np.ndarray) -> float:
        return float((ones.var(ddof=1) / len(ones) + zeros.var(ddof=1) / len(zeros)) ** 0.5)

    (ones, zeros), (ones_b, zeros_b) = components(SCORE), components(OTHER)
    z, area = stats.norm.ppf(0.975), float(components(SCORE)[0].mean())
    found = _derive("auc", {"score": "score", "label": "label"}, interval="delong")
    half = z * error(ones, zeros) / (area * (1 - area))
    centre = np.log(area / (1 - area))
    assert (found.low, found.high) == pytest.approx([1 / (1 + np.exp(-(centre + k * half))) for k in (-1, 1)])
    found = _derive("auc_difference", {"a": "score", "b": "other", "label": "label"}, interval="delong")
    half = z * error(ones - ones_b, zeros - zeros_b)
    assert found.value is not None
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_fisher_equals_scipy_and_spearman_is_wider() -> None:
    found = _derive("pearson", XY, interval="fisher", level=0.9)
    expected = stats.pearsonr(SCORE, OTHER).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    spearman = _derive("spearman", XY, interval="fisher")
    assert spearman.value is not None
    z, error = np.arctanh(spearman.value), ((1 + spearman.value**2 / 2) / (N - 3)) ** 0.5
    assert spearman.low == pytest.approx(np.tanh(z - stats.norm.ppf(0.975) * error))


def test_rmse_interval_is_the_root_of_that_of_the_mean_square() -> None:
    squares = {"x": np.square(OTHER - SCORE).tolist()}
    of_squares = derive(squares, derivation=Derivation("mean", {"value": "x"}, interval="bootstrap"))
    found = _derive("rmse", PREDICTED, interval="bootstrap")
    assert of_squares.low is not None and of_squares.high is not None
    assert (found.low, found.high) == pytest.approx((of_squares.low**0.5, of_squares.high**0.5), rel=1e-12)


def test_missing_cells_leave_and_scale_maps() -> None:
    table = {"x": [1.0, None, 2.0, 4.0], "y": [2.0, 9.0, None, 8.0]}
    found = derive(table, derivation=Derivation("mae", {"predicted": "x", "actual": "y"}, scale=100.0))
    assert (found.value, found.n) == (250.0, 2)


@pytest.mark.parametrize(
    ("estimator", "columns", "interval", "reason"),
    [
        ("auc", {"score": "score", "label": "one"}, "bootstrap", "one label"),
        ("auc", {"score": "label", "label": "label"}, "delong", "do not overlap"),
        ("pearson", {"x": "one", "y": "score"}, "fisher", "constant"),
        ("pearson", {"x": "score", "y": "score"}, "fisher", "one line"),
        ("spearman", {"x": "one", "y": "score"}, "none", "constant"),
        ("r2", {"predicted": "score", "actual": "one"}, "none", "constant"),
        ("jensen_shannon", {"value": "category", "side": "one"}, "none", "one side has no rows"),
        ("wasserstein", {"value": "score", "side": "one"}, "none", "one side has no rows"),
    ],
)
def test_what_cannot_be_estimated_says_why(estimator: str, columns: dict[str, str], interval: str, reason: str) -> None:
    found = _derive(estimator, columns, interval=interval)
    assert found.low is None and reason in str(found.reason)


@pytest.mark.parametrize("estimator", ["auc", "median", "entropy", "wasserstein", "r2"])
def test_no_rows_is_not_zero(estimator: Any) -> None:
    roles = {"score", "label", "value", "side", "predicted", "actual"}
    wanted = {"auc": {"score", "label"}, "wasserstein": {"value", "side"}, "r2": {"predicted", "actual"}}
    columns = dict.fromkeys(roles & wanted.get(estimator, {"value"}), "x")
    found = derive({"x": [None, None]}, derivation=Derivation(estimator, columns, interval="bootstrap"))
    assert (found.value, found.n, found.reason) == (None, 0, "no rows")


@pytest.mark.parametrize(
    ("derivation", "error", "message"),
    [
        (Derivation("auc", {"score": "score", "label": "two"}), DataError, r"'two' holds 2\.0; a label is 0 or 1"),
        (Derivation("wasserstein", {"value": "score", "side": "two"}), DataError, "one of 0, 1"),
        (Derivation("quantile", {"value": "score"}), SpecError, "needs its level"),
        (Derivation("median", {"value": "score"}, parameter=0.5), SpecError, "median has none"),
        (Derivation("kid", {"side": "label"}, parameter=2.5), SpecError, "number of blocks"),
        (Derivation("mean", {"value": "score"}, interval="delong"), SpecError, "DeLong's interval is for an AUC"),
        (Derivation("median", {"value": "score"}, interval="t"), SpecError, r"\['none', 'bootstrap'\], not 't'"),
        (Derivation("pearson", XY, interval="fisher", cluster="group"), SpecError, "independent rows"),
    ],
)
def test_wrong_derivations_say_why(derivation: Derivation, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        derive(TABLE, derivation=derivation)
