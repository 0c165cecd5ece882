"""A conditional logit: what tells the right row of a group from its others."""

import numpy as np
import pytest

from genwright.core import DataError
from genwright.systems.grounded.logistic import Logistic


def groups_of(num, rng):
    """The right row has the highest first signal of its group; the second is the group's, the third noise."""
    for _ in range(num):
        rows = rng.standard_normal((6, 3))
        rows[:, 0] += 5 * rng.standard_normal()
        rows[:, 1] = 5 * rng.standard_normal()
        yield rows, np.arange(6) == np.argmax(rows[:, 0])


def test_it_finds_the_signal_that_decides_within_groups():
    rng = np.random.default_rng(0)
    model = Logistic.fit_choice(("best", "shared", "noise"), list(groups_of(200, rng)), penalty=1.0)
    best, shared, noise = model.weights
    assert best > 3 and abs(noise) < 0.5
    assert shared == pytest.approx(0.0, abs=1e-6), "what a group has in common tells its rows not apart"
    fresh = list(groups_of(200, rng))
    right = [right[np.argmax(model.logits(rows))] for rows, right in fresh]
    assert np.mean(right) > 0.9


def test_several_right_rows_share_the_probability():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    model = Logistic.fit_choice(("one", "other"), [(rows, np.array([True, True, False]))], penalty=0.1)
    assert model.weights[0] == pytest.approx(model.weights[1], rel=1e-3) and model.weights[0] > 0


def test_a_penalty_shrinks_the_weights():
    groups = list(groups_of(50, np.random.default_rng(1)))
    weak, strong = (Logistic.fit_choice(("a", "b", "c"), groups, penalty=penalty) for penalty in (1.0, 100.0))
    assert abs(strong.weights[0]) < abs(weak.weights[0])


def test_groups_that_say_nothing_are_an_error():
    rows = np.zeros((2, 1))
    with pytest.raises(DataError, match="right and wrong"):
        Logistic.fit_choice(("a",), [(rows, np.array([True, True])), (rows, np.array([False, False]))], penalty=1.0)
