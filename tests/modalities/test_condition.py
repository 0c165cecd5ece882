"""Conditions: what is unknown, what is not finite, and a class that has one member."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError, SpecError
from genwright.modalities.condition import Conditioner
from genwright.modalities.conditioning import ConditionConfig


def test_numbers_that_are_not_finite_count_as_unknown_and_spoil_nothing():
    rows = pa.table({"x": [1.0, 3.0, float("nan"), float("inf"), None]})
    conditioner = Conditioner.fit([ConditionConfig(column="x", kind="number")], rows=[rows])
    found = conditioner.encode(rows)[:, 0]
    assert found[:2].tolist() == [-1.0, 1.0]
    assert np.isnan(found[2:]).all()


def test_a_number_that_is_always_the_same_has_a_scale():
    conditioner = Conditioner.fit([ConditionConfig(column="x", kind="number")], rows=[pa.table({"x": [2.0, 2.0]})])
    assert conditioner.encode(pa.table({"x": [2.0, 3.0]}))[:, 0].tolist() == [0.0, 1.0]


def test_a_class_with_one_member_is_a_class():
    rows = pa.table({"kind": ["u", "v", "v", "u", "alone"]})
    conditioner = Conditioner.fit([ConditionConfig(column="kind", kind="category")], rows=[rows])
    assert conditioner.categories("kind") == ("alone", "u", "v")
    assert conditioner.encode(rows)[4].tolist() == [1.0, 0.0, 0.0]


def test_a_class_that_lies_in_another_split_alone_is_unknown_there_and_an_error_where_it_is_asked_for():
    train = pa.table({"kind": ["u", "v"], "x": [1, 2]})
    conditioner = Conditioner.fit([ConditionConfig(column="kind", kind="category")], rows=[train])
    held_out = pa.table({"kind": ["v", "alone", None], "x": [1, 2, 3]})
    assert conditioner.seen(held_out).column("kind").to_pylist() == ["v", None, None]
    assert conditioner.seen(held_out).column("x").to_pylist() == [1, 2, 3]
    with pytest.raises(DataError, match="no category 'alone'"):
        conditioner.encode(held_out)


def test_what_is_asked_for_and_cannot_be_is_an_error_that_says_what_can():
    train = pa.table({"x": [1.0, 3.0], "caption": ["red heart", "Blue HEART"], "y": [0, 0]})
    configs = [ConditionConfig(column="x", kind="number"), ConditionConfig(column="caption", kind="words")]
    conditioner = Conditioner.fit(configs, rows=[train])
    conditioner.check_asked(pa.table({"x": [2.0, None], "caption": ["a red one", None]}))
    with pytest.raises(DataError, match="not conditioned on 'captoin'") as found:
        conditioner.check_asked(pa.table({"captoin": ["red heart"]}))
    assert "x, caption" in str(found.value.hint)
    with pytest.raises(DataError, match="no word of 'green star'") as found:
        conditioner.check_asked(pa.table({"caption": ["red", "green star"]}))
    assert "3 words, such as blue, heart, red" in str(found.value.hint)
    with pytest.raises(DataError, match="'high' is none"):
        conditioner.encode(pa.table({"x": ["high"]}))


@pytest.mark.parametrize("kind", ["category", "number", "words"])
def test_a_column_of_which_nothing_is_known_is_no_condition(kind):
    rows = pa.table({"x": pa.array([None, None], pa.float64())})
    with pytest.raises(SpecError, match="'x' holds nothing"):
        Conditioner.fit([ConditionConfig(column="x", kind=kind)], rows=[rows])
