"""Markov chains: exact likelihood, exact completion, and one chain per voice."""

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Given, Tokens, TokenShape
from genwright.families.markov import Markov
from genwright.families.markov_config import MarkovConfig

CELLS = TokenShape(7, 5, 6, 6, cells=((0, 2), (2, 3)) * 3)
SEQUENCES = TokenShape(5, 3, 4, 6)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def fitted():
    draws = torch.randint(0, 100, (200, 6), generator=rng())
    ids = torch.where(torch.arange(6) % 2 == 0, draws % 2, 2 + (draws % 5) // 2)
    ids[:, 2] = ids[:, 0]
    model = Markov(MarkovConfig().resolve(depth=1, shape=CELLS), shape=CELLS)
    model.fit([Tokens(ids[:100]), Tokens(ids[100:])], rng=rng())
    return model


def everything():
    return torch.cartesian_prod(*[torch.arange(first, first + count) for first, count in CELLS.cells])


def test_the_stride_is_the_period_of_the_layout(fitted):
    assert fitted.config.stride == 2
    assert MarkovConfig().resolve(depth=1, shape=SEQUENCES).stride == 1


def test_the_likelihood_sums_to_one(fitted):
    bound = fitted.log_prob(Tokens(everything()))
    assert bound.kind == "exact"
    assert bound.value.exp().sum().item() == pytest.approx(1.0)


def test_samples_follow_the_likelihood(fitted):
    rows = everything()
    ids = fitted.sample(20_000, rng=rng(1)).ids
    share = (ids[:, [0, 2]] == 0).all(1).double().mean()
    wanted = fitted.log_prob(Tokens(rows)).value.exp()[(rows[:, [0, 2]] == 0).all(1)].sum()
    assert share.item() == pytest.approx(wanted.item(), abs=0.015)


def test_completion_is_the_exact_conditional(fitted):
    known = torch.zeros(20_000, 6, dtype=torch.bool)
    known[:, 4] = True
    given = Given(Tokens(torch.full((20_000, 6), 1)), known)
    ids = fitted.sample(20_000, given=given, rng=rng(2)).ids
    assert (ids[:, 4] == 1).all()
    rows = everything()
    weight = fitted.log_prob(Tokens(rows)).value.exp()
    held = weight[rows[:, 4] == 1]
    wanted = weight[(rows[:, 4] == 1) & (rows[:, 0] == 1)].sum() / held.sum()
    assert (ids[:, 0] == 1).double().mean().item() == pytest.approx(wanted.item(), abs=0.015)


def test_sequences_end_and_their_likelihood_is_given_the_begin_mark():
    model = Markov(MarkovConfig().resolve(depth=1, shape=SEQUENCES), shape=SEQUENCES)
    ids = torch.tensor([[3, 0, 1, 4, 4], [3, 0, 1, 0, 4]])
    mask = torch.tensor([[True, True, True, True, False], [True] * 5])
    model.fit([Tokens(ids, mask)], rng=rng())
    value = model.log_prob(Tokens(ids, mask)).value
    assert value[0] > value[1]
    longer = torch.cat((ids, torch.full((2, 1), 4)), 1), torch.cat((mask, torch.zeros(2, 1, dtype=torch.bool)), 1)
    assert torch.equal(model.log_prob(Tokens(*longer)).value, value)
    made = model.sample(50, rng=rng(3))
    assert (made.ids[:, 0] == 3).all()
    assert not (made.ids[:, 1:] == 3).any()
    assert (made.mask.sum(1) > 1).all()


def test_what_was_fitted_comes_back_and_seeds_give_the_same(fitted):
    again = Markov(fitted.config, shape=CELLS)
    again.restore(fitted.state())
    assert torch.equal(again.sample(9, rng=rng(5)).ids, fitted.sample(9, rng=rng(5)).ids)
    cold = fitted.sample(4, temperature=0.0, rng=rng(6)).ids
    assert (cold == cold[0]).all()


def test_a_condition_is_refused(fitted):
    with pytest.raises(CapabilityError, match="no condition"):
        fitted.sample(2, cond=torch.ones(2, 1))
