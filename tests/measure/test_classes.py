"""AUCs of several classes and gaps between groups, against scikit-learn and the two-class case."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from genwright.core import DataError, Derivation, Estimate, SpecError
from genwright.measure import derive

RNG = np.random.default_rng(11)
N, K = 90, 3
LABEL = RNG.integers(0, K, N)
LOGITS = RNG.normal(size=(N, K)) + np.eye(K)[LABEL]
SCORES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float32)
OTHER = np.roll(SCORES, 1, axis=0)
PART = [("north", "south")[row % 2] for row in range(N)]
TABLE: dict[str, list[Any]] = {
    "label": LABEL.tolist(),
    "binary": (LABEL == 1).astype(int).tolist(),
    "score": SCORES[:, 1].astype(float).tolist(),
    "other": OTHER[:, 1].astype(float).tolist(),
    "part": list(PART),
    "alone": ["all"] * N,
    "group": [f"g{row // 3}" for row in range(N)],
}
ARRAYS = {
    "made": SCORES,
    "real": OTHER,
    "pair": np.stack([1 - SCORES[:, 1], SCORES[:, 1]], axis=1),
    "other_pair": np.stack([1 - OTHER[:, 1], OTHER[:, 1]], axis=1),
}
MACRO = {"scores": "made", "label": "label"}
BOTH = {"a": "made", "b": "real", "label": "label"}
GAP = {"score": "score", "label": "binary", "part": "part"}
MACRO_GAP = {**MACRO, "part": "part"}


def _derive(estimator: Any, columns: dict[str, str], table: Any = TABLE, **more: Any) -> Estimate:
    return derive(table, derivation=Derivation(estimator, columns, **more), arrays=ARRAYS.__getitem__)


def _oracle(scores: np.ndarray, kept: Any = slice(None)) -> float:
    label, own = LABEL[kept], scores[kept]
    return float(np.mean([metrics.roc_auc_score(label == k, own[:, k]) for k in range(K)]))


def test_the_macro_auc_is_that_of_scikit_learn() -> None:
    expected = metrics.roc_auc_score(LABEL, SCORES.astype(float), multi_class="ovr", average="macro")
    assert _derive("macro_auc", MACRO).value == pytest.approx(float(expected), rel=1e-6)
    assert _derive("macro_auc", MACRO).value == pytest.approx(_oracle(SCORES), rel=1e-12)
    found = _derive("macro_auc_difference", BOTH).value
    assert found == pytest.approx(_oracle(SCORES) - _oracle(OTHER), rel=1e-12)


def test_gaps_are_the_largest_area_of_a_group_minus_the_smallest() -> None:
    parts = [np.array([part == name for part in PART]) for name in ("north", "south")]
    areas = [_oracle(SCORES, kept) for kept in parts]
    assert _derive("macro_auc_gap", MACRO_GAP).value == pytest.approx(abs(areas[0] - areas[1]), rel=1e-12)
    areas = [float(metrics.roc_auc_score(LABEL[kept] == 1, SCORES[kept, 1])) for kept in parts]
    assert _derive("auc_gap", GAP).value == pytest.approx(abs(areas[0] - areas[1]), rel=1e-12)


@pytest.mark.parametrize(
    ("estimator", "columns"),
    [("macro_auc", MACRO), ("macro_auc_difference", BOTH), ("auc_gap", GAP), ("macro_auc_gap", MACRO_GAP)],
)
def test_bootstrap_intervals_hold_the_value_and_repeat_to_the_bit(estimator: str, columns: dict[str, str]) -> None:
    for cluster in (None, "group"):
        found = _derive(estimator, columns, interval="bootstrap", cluster=cluster, resamples=200)
        assert found.low is not None and found.high is not None and found.value is not None
        assert found.low <= found.value < found.high and found.n == N
        assert found == _derive(estimator, columns, interval="bootstrap", cluster=cluster, resamples=200)
        assert found != _derive(estimator, columns, interval="bootstrap", cluster=cluster, resamples=200, seed=1)
        assert ("clusters by group" in found.method) == (cluster is not None)


def test_of_two_classes_it_is_the_auc_with_its_interval() -> None:
    pair, other_pair = {"scores": "pair", "label": "binary"}, {"a": "pair", "b": "other_pair", "label": "binary"}
    for estimator, columns, plain, roles in (
        ("macro_auc", pair, "auc", {"score": "score", "label": "binary"}),
        ("macro_auc_difference", other_pair, "auc_difference", {"a": "score", "b": "other", "label": "binary"}),
    ):
        found = _derive(estimator, columns, interval="delong")
        expected = _derive(plain, roles, interval="delong")
        assert expected.low is not None
        assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_delong_and_bootstrap_agree_on_three_classes() -> None:
    for estimator, columns in (("macro_auc", MACRO), ("macro_auc_difference", BOTH)):
        one = _derive(estimator, columns, interval="delong")
        other = _derive(estimator, columns, interval="bootstrap")
        assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
        assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.1)


def test_classes_and_groups_of_one_row_are_left_out() -> None:
    table = {name: list(cells) for name, cells in TABLE.items()}
    table["part"][0] = "east"
    assert _derive("auc_gap", GAP, table).n == N - 1
    table = {name: list(cells) for name, cells in TABLE.items()}
    rare = np.flatnonzero(LABEL == 2)[1:]
    for name in table:
        table[name] = [cell for row, cell in enumerate(table[name]) if row not in rare]
    arrays = {"made": np.delete(SCORES, rare, axis=0)}
    found = derive(table, derivation=Derivation("macro_auc", MACRO, interval="delong"), arrays=arrays.__getitem__)
    assert found.n == N - len(rare) - 1 and found.low is not None, "two classes remain"


def test_what_cannot_be_estimated_says_why() -> None:
    alone = _derive("auc_gap", {**GAP, "part": "alone"}, interval="bootstrap")
    assert (alone.value, alone.low) == (None, None) and "there are not two groups" in str(alone.reason)
    few = _derive("macro_auc", {"scores": "made", "label": "label"}, where={"group": "g0", "part": "south"})
    assert few.value is None and few.reason == "no group has two rows of two classes each"
    none = _derive("macro_auc", MACRO, where={"part": "west"})
    assert (none.value, none.n, none.reason) == (None, 0, "no rows")
    perfect = derive(
        {"label": [0, 0, 1, 1, 2, 2]},
        derivation=Derivation("macro_auc", MACRO, interval="delong"),
        arrays={"made": np.eye(3, dtype=np.float32).repeat(2, axis=0)}.__getitem__,
    )
    assert perfect.value == 1.0 and perfect.low is None and "do not overlap" in str(perfect.reason)


@pytest.mark.parametrize(
    ("derivation", "error", "message"),
    [
        (Derivation("macro_auc", {"scores": "pair", "label": "label"}), DataError, "holds 2, and the scores are of"),
        (Derivation("macro_auc", {"scores": "made", "label": "score"}), DataError, "a class is 0, 1, 2 and so on"),
        (Derivation("macro_auc_difference", {**BOTH, "b": "pair"}), DataError, r"unlike widths: \[3, 2\]"),
        (Derivation("macro_auc", {"label": "label"}), SpecError, r"takes the columns \['label', 'scores'\]"),
        (Derivation("auc_gap", {**GAP, "label": "label"}), DataError, "a label is 0 or 1"),
        (Derivation("macro_auc_gap", MACRO_GAP, interval="delong"), SpecError, "DeLong's interval is for an AUC"),
    ],
)
def test_wrong_derivations_say_why(derivation: Derivation, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        derive(TABLE, derivation=derivation, arrays=ARRAYS.__getitem__)
