"""Estimates from tables: values, gaps, clusters, scale, refusals; the same bits each time."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwright.core import DataError, Derivation, SpecError
from genwright.measure import derive

TABLE: dict[str, list[Any]] = {
    "id": list("abcdef"),
    "group": ["g1", "g1", "g2", "g2", "g3", "g3"],
    "kept": [True, True, True, True, False, False],
    "x": [1.0, 2.0, 4.0, 8.0, None, 16.0],
    "y": [2.0, 2.0, 2.0, 4.0, 4.0, 2.0],
    "ok": [1, 0, 1, 1, 0, 1],
    "ok2": [0, 0, 1, 1, 1, 0],
    "text": ["t"] * 6,
}
VALUE = {"value": "x"}


@pytest.mark.parametrize(
    ("derivation", "value", "n"),
    [
        (Derivation("count", {}), 6, 6),
        (Derivation("count", {}, where={"kept": True}), 4, 4),
        (Derivation("sum", VALUE), 31, 5),
        (Derivation("min", VALUE), 1, 5),
        (Derivation("max", VALUE, where={"kept": True}), 8, 4),
        (Derivation("mean", VALUE), 6.2, 5),
        (Derivation("proportion", {"value": "ok"}), 4 / 6, 6),
        (Derivation("ratio", {"numerator": "x", "denominator": "y"}), 31 / 12, 5),
        (Derivation("mean_difference", {"a": "x", "b": "y"}), 3.8, 5),
        (Derivation("ratio_difference", {"numerator_a": "x", "numerator_b": "y", "denominator": "y"}), 19 / 12, 5),
        (
            Derivation(
                "ratio_difference",
                {"numerator_a": "x", "numerator_b": "y", "denominator": "y", "denominator_b": "x"},
            ),
            31 / 12 - 12 / 31,
            5,
        ),
        (Derivation("mean", VALUE, scale=-2.0), -12.4, 5),
        (Derivation("mean", VALUE, scale=0.5, transform="exp"), math.exp(3.1), 5),
    ],
)
def test_values_by_hand(derivation: Derivation, value: float, n: int) -> None:
    found = derive(TABLE, derivation=derivation)
    assert found.value == pytest.approx(value, rel=1e-14)
    assert (found.n, found.low, found.reason) == (n, None, None)


def test_interval_is_mapped_with_the_value_and_ordered() -> None:
    plain = derive(TABLE, derivation=Derivation("mean", VALUE, interval="t"))
    turned = derive(TABLE, derivation=Derivation("mean", VALUE, interval="t", scale=-1.0, transform="exp"))
    assert plain.low is not None and plain.high is not None
    assert turned.low == math.exp(-plain.high) and turned.high == math.exp(-plain.low)
    assert turned.level == 0.95


def test_clusters_are_the_units_of_the_interval() -> None:
    rng = np.random.default_rng(0)
    shift = np.repeat(rng.normal(0, 1, 20), 50)
    table = {"x": list(shift + rng.normal(0, 0.1, 1000)), "g": [f"g{n // 50}" for n in range(1000)]}
    rows = derive(table, derivation=Derivation("mean", VALUE, interval="bootstrap"))
    groups = derive(table, derivation=Derivation("mean", VALUE, interval="bootstrap", cluster="g"))
    assert rows.value == pytest.approx(groups.value)
    assert _width(groups) > 5 * _width(rows)
    assert "20 clusters by g" in groups.method


def test_repeats_to_the_bit_and_follows_the_seed() -> None:
    rng = np.random.default_rng(1)
    table = {"x": list(rng.normal(1, 1, 300)), "y": list(rng.lognormal(0, 1, 300))}
    first = Derivation("ratio", {"numerator": "x", "denominator": "y"}, interval="bootstrap")
    other = Derivation("ratio", {"numerator": "x", "denominator": "y"}, interval="bootstrap", seed=1)
    assert derive(table, derivation=first) == derive(table, derivation=first)
    assert derive(table, derivation=first).low != derive(table, derivation=other).low


def test_resamples_are_the_known_stream() -> None:
    # Golden: a change here would make every stored claim fail its verification.
    table = {"x": [1.0, 2.0, 4.0, 8.0, 16.0], "y": [1.0, 1.0, 2.0, 3.0, 5.0]}
    found = derive(table, derivation=Derivation("ratio", {"numerator": "x", "denominator": "y"}, interval="bootstrap"))
    assert (found.low, found.high) == (1.2, 3.194244493896674)


@pytest.mark.parametrize("interval", ["none", "bootstrap", "t"])
@pytest.mark.parametrize("estimator", ["sum", "mean", "min"])
def test_no_rows_is_not_zero(estimator: Any, interval: Any) -> None:
    found = derive({"x": [None, None]}, derivation=Derivation(estimator, VALUE, interval=interval))
    assert (found.value, found.n, found.low, found.reason) == (None, 0, None, "no rows")


def test_one_unit_has_a_value_and_no_interval() -> None:
    for interval in ("bootstrap", "t"):
        found = derive({"x": [3.0]}, derivation=Derivation("mean", VALUE, interval=interval))  # type: ignore[arg-type]
        assert (found.value, found.low, found.level) == (3.0, None, None)
        assert found.reason == "an interval needs 2 independent units; there is 1"
    one_group = derive(
        {"x": [3.0, 4.0], "g": ["a", "a"]}, derivation=Derivation("mean", VALUE, interval="bootstrap", cluster="g")
    )
    assert (one_group.value, one_group.low) == (3.5, None)


def test_zero_denominators_and_overflow_are_not_estimable() -> None:
    ratio = Derivation("ratio", {"numerator": "x", "denominator": "y"}, interval="bootstrap")
    nothing = derive({"x": [1, 2], "y": [0, 0]}, derivation=ratio)
    assert (nothing.value, nothing.reason) == (None, "the denominators sum to 0")
    some = derive({"x": [1, 2, 3], "y": [0, 0, 1]}, derivation=ratio)
    assert some.value == 6 and some.low is None and "denominators" in str(some.reason)
    huge = derive({"x": [1e4]}, derivation=Derivation("mean", VALUE, transform="exp"))
    assert huge.value is None and "too large" in str(huge.reason)


@pytest.mark.parametrize("num_zeros", [1, 12, 18, 21, 23])
def test_mostly_zeros_give_an_interval_within_reach(num_zeros: int) -> None:
    cells = [0.0] * num_zeros + [0.01 * n for n in range(1, 25 - num_zeros)]
    found = derive({"x": cells}, derivation=Derivation("mean", VALUE, interval="bootstrap"))
    assert found.low is not None and found.high is not None
    assert -0.01 < found.low <= found.value <= found.high <= 2 * max(cells)  # type: ignore[operator]
    if num_zeros >= 12:
        assert found.low >= 0.0


def test_identical_units_have_an_interval_of_width_zero() -> None:
    found = derive({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}, derivation=DIFFERENCE)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


DIFFERENCE = Derivation("mean_difference", {"a": "a", "b": "b"}, interval="bootstrap")


@pytest.mark.parametrize(
    ("derivation", "error", "message"),
    [
        (Derivation("mean", {"value": "nope"}), DataError, "no column 'nope'; it has group, id"),
        (Derivation("mean", {"value": "text"}), DataError, "holds the text 't'"),
        (Derivation("proportion", {"value": "y"}), DataError, r"column 'y' holds 2\.0"),
        (Derivation("mean", {"a": "x"}), SpecError, r"takes the columns \['value'\]"),
        (Derivation("mean", VALUE, interval="wilson"), SpecError, "Wilson"),
        (Derivation("proportion", {"value": "ok"}, interval="wilson", cluster="group"), SpecError, "Wilson"),
        (Derivation("mean", VALUE, level=95), SpecError, "level is 95"),
        (Derivation("mode", VALUE), SpecError, "no estimator 'mode'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_derivations_say_why(derivation: Derivation, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        derive(TABLE, derivation=derivation)


def test_extremes_and_counts_refuse_an_interval_with_a_reason() -> None:
    found = derive(TABLE, derivation=Derivation("max", VALUE, interval="bootstrap"))
    assert found.value == 16 and found.low is None and "extreme" in str(found.reason)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.sampled_from("abc")), min_size=1, max_size=12),
    st.sampled_from(["bootstrap", "t", "none"]),
    st.booleans(),
)
def test_any_table_gives_finite_ends_or_a_reason(
    rows: list[tuple[float, float, str]], interval: Any, grouped: bool
) -> None:
    table = {"x": [r[0] for r in rows], "y": [r[1] for r in rows], "g": [r[2] for r in rows]}
    cluster = "g" if grouped else None
    for derivation in (
        Derivation("mean", VALUE, interval=interval, cluster=cluster, resamples=50),
        Derivation("ratio", {"numerator": "x", "denominator": "y"}, interval=interval, cluster=cluster, resamples=50),
        Derivation("sum", VALUE, interval=interval, cluster=cluster, resamples=50),
    ):
        found = derive(table, derivation=derivation)
        assert found.value is not None and math.isfinite(found.value)
        if found.low is None:
            assert found.reason or interval == "none"
        else:
            assert found.high is not None and math.isfinite(found.low) and found.low <= found.high


def _width(estimate: Any) -> float:
    return float(estimate.high - estimate.low)
