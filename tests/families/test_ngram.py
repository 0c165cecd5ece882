"""The n-gram family: exact probabilities that sum to one, samples that follow them, and a state that comes back."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Given, Tokens, TokenShape
from genwright.families import ngram
from genwright.families.ngram import Ngram
from genwright.families.ngram_config import NgramConfig

SHAPE = TokenShape(vocab_size=5, bos_id=3, eos_id=4, context_tokens=6)


def rows(*texts: str) -> Tokens:
    """Rows of digits between marks."""
    longest = max(map(len, texts))
    ids = torch.full((len(texts), longest + 2), 4)
    ids[:, 0] = 3
    for row, text in enumerate(texts):
        ids[row, 1 : len(text) + 1] = torch.tensor([int(one) for one in text], dtype=torch.long)
    return Tokens(ids, torch.arange(longest + 2) < torch.tensor([[len(text) + 2] for text in texts]))


def fitted(order: int, *texts: str) -> Ngram:
    family = Ngram(NgramConfig(order=order), shape=SHAPE)
    half = len(texts) // 2
    family.fit([rows(*texts[:half]), rows(*texts[half:])], rng=torch.Generator())
    again = Ngram(family.config, shape=SHAPE)
    again.restore(family.state())
    return again


def test_the_probability_is_that_of_witten_and_bell() -> None:
    family = fitted(2, "01", "01", "00")
    # Over 9 tokens 0 0 0 0 1 1 and three ends: 3 kinds over an even share of 1/4.
    ends, zero, one = ((3 + 3 / 4) / 12, (4 + 3 / 4) / 12, (2 + 3 / 4) / 12)
    # Three tokens follow a 0 that is no end: 1 1 0 and an end after 00, so 4 in all, 3 kinds.
    expected = (3 + 1 * zero) / 4 * (2 + 3 * one) / 7 * (2 + 1 * ends) / 3
    value = family.log_prob(rows("01")).value
    assert value is not None
    torch.testing.assert_close(value.exp(), torch.tensor([expected], dtype=torch.float64))


def test_all_sequences_together_have_probability_one_and_samples_follow_it() -> None:
    family = fitted(3, "01", "0101", "010", "2", "22")
    texts = ["".join(one) for size in range(9) for one in itertools.product("012", repeat=size)]
    value = family.log_prob(rows(*texts)).value
    assert value is not None
    assert 0.97 < float(value.exp().sum()) <= 1.0
    drawn = family.sample(4000, rng=torch.Generator().manual_seed(0))
    ended = (drawn.ids[:, 1] == 2).double().mean()
    expected = value.exp()[[at for at, text in enumerate(texts) if text.startswith("2")]].sum()
    assert abs(float(ended - expected)) < 0.03
    assert not (drawn.ids[:, 1:] == 3).any()


def test_blocks_of_tokens_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("0120", "0121", "012", "2100", "2101", "21")
    whole = fitted(3, *texts).state()
    monkeypatch.setattr(ngram, "TOKENS_AT_ONCE", 1)
    assert all(torch.equal(value, whole[name]) for name, value in fitted(3, *texts).state().items())


def test_a_start_is_kept_and_no_more_is_taken() -> None:
    family = fitted(2, "01", "0101", "20")
    batch, known = rows("20", "01"), torch.tensor([[True, True, False, False], [True, True, True, False]])
    drawn = family.sample(2, given=Given(batch, known), steps=3, rng=torch.Generator().manual_seed(1)).ids
    assert drawn[0, 1] == 2 and drawn[1, 1:3].tolist() == [0, 1] and drawn.shape[1] <= 6
    with pytest.raises(CapabilityError, match="left to right"):
        family.sample(2, given=Given(batch, ~known), rng=torch.Generator())
    with pytest.raises(CapabilityError, match="condition"):
        family.sample(2, cond=torch.zeros(2, 1))


def test_a_longer_context_explains_more_and_limits_are_named() -> None:
    texts = ("0120", "0121", "012", "2100", "2101", "21") * 5
    nats = [-float(fitted(order, *texts).log_prob(rows(*texts)).value.sum()) for order in (1, 2, 4)]  # type: ignore[union-attr]
    assert nats[0] > nats[1] > nats[2]
    with pytest.raises(ValueError, match="order = 16"):
        NgramConfig(order=16).resolve(depth=1, shape=TokenShape(300, 298, 299, 8))
    with pytest.raises(ValueError, match="sequences"):
        NgramConfig().resolve(depth=1, shape=TokenShape(6, 4, 5, 2, cells=((0, 2), (2, 2))))
