"""Whole sequences end to end: what is read and learned of each, in an order that the seed fixes."""

import numpy as np
import pytest
import torch

from genwright.core import DataError
from genwright.trainer.packed import PackedFeed, Sequences

ITEMS = [([1, 2, 3, 4], 2), ([5, 6], 1), ([7, 8, 9], 0), ([10, 11, 12], 2)]


def feed(**settings):
    return PackedFeed(Sequences.of(ITEMS), **{"seed": 3, "device": "cpu"} | settings)


def test_each_predicts_itself_alone_and_what_is_given_is_not_learned():
    batch = feed(shuffle=False).take(0, count=3)
    assert batch.ids.tolist() == [1, 2, 3, 5, 7, 8]
    assert batch.targets.tolist() == [2, 3, 4, 6, 8, 9]
    assert batch.counted.tolist() == [False, True, True, True, True, True]
    assert batch.lengths == (3, 1, 2) and len(batch) == 3
    assert batch.mean_counted == (2 + 1 + 2 + 1) / 4


def test_every_epoch_holds_each_sequence_once_in_an_order_of_its_own():
    numbers = [feed().numbers(4 * epoch, count=4).tolist() for epoch in range(6)]
    assert all(sorted(one) == [0, 1, 2, 3] for one in numbers)
    assert len({tuple(one) for one in numbers}) > 1
    assert np.array_equal(feed().numbers(2, count=5), [*numbers[0][2:], *numbers[1][:3]])
    assert torch.equal(feed().take(2, count=5).ids, feed().take(2, count=5).ids)


def test_rows_of_several_sequences_stay_together():
    paired = feed(in_row=2)
    assert len(paired) == 2
    numbers = paired.numbers(0, count=2).reshape(2, 2)
    assert (numbers[:, 0] % 2 == 0).all() and (numbers[:, 1] == numbers[:, 0] + 1).all()


def test_nothing_is_an_error():
    with pytest.raises(DataError, match="no sample is left"):
        Sequences.of([])
