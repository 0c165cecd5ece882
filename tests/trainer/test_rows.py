"""Rows in an order that follows from the seed: every epoch holds all of them, batches of like length where asked."""

import numpy as np
import pytest
import torch

from genwright.core.protocols import Encoded, Tokens, TokenShape
from genwright.trainer.rows import RowFeed

SHAPE = TokenShape(vocab_size=102, bos_id=100, eos_id=101, context_tokens=31)
COUNT, BATCH = 103, 8


def feed(*, seed: int = 3, alike_rows: int | None = BATCH, count: int = COUNT) -> RowFeed:
    lengths = np.random.default_rng(0).integers(1, 30, size=count)
    values = np.tile(np.arange(count)[:, None] % 100, (1, 30))
    return RowFeed(Encoded(values, lengths), shape=SHAPE, seed=seed, device="cpu", alike_rows=alike_rows)


def batches(rows: RowFeed, count: int) -> list[Tokens]:
    taken = [rows.take(at * BATCH, count=BATCH) for at in range(count)]
    assert all(isinstance(batch, Tokens) for batch in taken)
    return taken  # type: ignore[return-value]


def padding_share(taken: list[Tokens]) -> float:
    marks = [batch.mask for batch in taken if batch.mask is not None]
    return 1.0 - sum(int(mask.sum()) for mask in marks) / sum(mask.numel() for mask in marks)


@pytest.mark.parametrize("alike_rows", [None, 8, 200])
@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_epoch_holds_every_row_once(alike_rows: int | None, epoch: int) -> None:
    taken = feed(alike_rows=alike_rows, count=90).take(epoch * 90, count=90)
    assert isinstance(taken, Tokens)
    assert sorted(taken.ids[:, 1].tolist()) == list(range(90))


def test_batches_of_like_length_waste_little_in_later_epochs_too() -> None:
    assert padding_share(batches(feed(alike_rows=None), 39)) > 0.3
    assert padding_share(batches(feed(), 39)) < 0.12


def test_short_and_long_rows_come_in_any_order() -> None:
    sizes = [batch.ids.shape[1] for batch in batches(feed(), 12)]
    assert sizes not in (sorted(sizes), sorted(sizes, reverse=True))
    again = [batch.ids.shape[1] for batch in batches(feed(seed=4), 12)]
    assert sizes != again


def test_a_batch_follows_from_seed_and_place_alone() -> None:
    straight = batches(feed(), 30)
    resumed = feed().take(29 * BATCH, count=BATCH)
    assert isinstance(resumed, Tokens)
    assert torch.equal(straight[29].ids, resumed.ids)
    halves = [feed().take(29 * BATCH + half, count=BATCH // 2).ids for half in (0, BATCH // 2)]  # type: ignore[union-attr]
    width = straight[29].ids.shape[1]
    padded = [torch.nn.functional.pad(half, (0, width - half.shape[1]), value=101) for half in halves]
    assert torch.equal(torch.cat(padded), straight[29].ids)


def test_batches_of_like_length_say_how_long_rows_are_on_average() -> None:
    found = batches(feed(), 1)[0].mean_tokens
    everything = feed(alike_rows=None).take(0, count=COUNT)
    assert isinstance(everything, Tokens) and everything.mask is not None
    assert everything.mean_tokens is None
    assert found == pytest.approx(float(everything.mask[:, 1:].sum()) / COUNT)
