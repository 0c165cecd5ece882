"""Autoregression in the order of a layout whose cells share ids: exact, conditional, and from a given start."""

import itertools

import pytest
import torch

from genwright.core.protocols import Clock, Family, Given, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.in_order import InOrder
from genwright.families.store import build_family
from genwright.nets import LstmConfig, TransformerConfig
from genwright.nets.recurrent import RecurrentBlock

SHAPE = TokenShape(vocab_size=5, bos_id=3, eos_id=4, context_tokens=3, cells=((0, 3), (0, 3), (0, 2)), cond_size=2)


def rows(count: int) -> Tokens:
    """The first cell leans to 0 (class 0) or to 2 (class 1), the second repeats it, the third is a coin."""
    generator = torch.Generator().manual_seed(3)
    label = torch.randint(0, 2, (count,), generator=generator)
    weights = torch.tensor([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]])[label]
    first = torch.multinomial(weights, 1, generator=generator)[:, 0]
    coin = torch.randint(0, 2, (count,), generator=generator)
    return Tokens(torch.stack((first, first, coin), dim=1), cond=torch.eye(2)[label])


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def family(request: pytest.FixtureRequest) -> InOrder:
    net = {"transformer": TransformerConfig, "lstm": LstmConfig}[request.param]()
    config = AutoregressiveConfig(net=net, cell_width=16, cell_layers=1).resolve(depth=1, shape=SHAPE)
    assert config.order == "layout", "cells share ids"
    made: InOrder = build_family(config, shape=SHAPE, seed=1)
    optimiser = torch.optim.AdamW(made.parameters(), lr=0.01)
    torch.manual_seed(0)
    for step in range(300):
        batch = rows(512) if step % 3 else Tokens(rows(512).ids)
        ((_, loss, _),) = made.losses(batch, Clock(0, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return made.eval()


def rng(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_probabilities_sum_to_one_with_and_without_a_condition(family: InOrder) -> None:
    assert isinstance(family, Family)
    every = torch.tensor(list(itertools.product(range(3), range(3), range(2))))
    for cond in (None, torch.eye(2)[[1] * len(every)]):
        bound = family.log_prob(Tokens(every, cond=cond))
        assert bound.kind == "exact"
        assert bound.value is not None
        assert float(bound.value.exp().sum()) == pytest.approx(1.0, abs=1e-5)


def test_samples_follow_the_data_and_the_seed(family: InOrder) -> None:
    drawn = family.sample(400, rng=rng()).ids
    assert (drawn[:, 0] == drawn[:, 1]).float().mean() > 0.95
    assert drawn[:, 2].max() < 2
    assert torch.equal(drawn, family.sample(400, rng=rng()).ids)
    assert not torch.equal(drawn, family.sample(400, rng=rng(6)).ids)


def test_the_condition_counts_and_guidance_exaggerates_it(family: InOrder) -> None:
    cond = torch.tensor([[0.0, 1.0]]).repeat(500, 1)
    shares = [
        float((family.sample(500, cond=cond, guidance=weight, rng=rng()).ids[:, 0] == 2).float().mean())
        for weight in (1.0, 3.0)
    ]
    assert shares[0] == pytest.approx(0.6, abs=0.08)
    assert shares[1] > 0.7  # 0.84, were it fitted perfectly


def test_given_starts_stay(family: InOrder) -> None:
    ids = torch.tensor([[1, 0, 0]]).repeat(50, 1)
    known = torch.tensor([[True, False, False]]).repeat(50, 1)
    out = family.sample(50, given=Given(Tokens(ids), known), rng=rng()).ids
    assert (out[:, 0] == 1).all()
    assert (out[:, 1] == 1).float().mean() > 0.9


def test_any_cells_can_be_given(family: InOrder) -> None:
    count = 1500
    known = torch.tensor([[False, True, False]]).repeat(count, 1)
    known[1::2, 1] = False
    out = family.sample(count, given=Given(Tokens(torch.full((count, 3), 1)), known), rng=rng()).ids
    assert (out[::2, 1] == 1).all()
    every = torch.tensor(list(itertools.product(range(3), range(3), range(2))))
    weight = family.log_prob(Tokens(every)).value.exp()
    for rows_of, among in ((out[::2], weight * (every[:, 1] == 1)), (out[1::2], weight)):
        wanted = float(among[every[:, 0] == 1].sum() / among.sum())
        assert float((rows_of[:, 0] == 1).float().mean()) == pytest.approx(wanted, abs=0.05)
    again = family.sample(count, given=Given(Tokens(torch.full((count, 3), 1)), known), rng=rng()).ids
    assert torch.equal(out, again)


def test_any_order_needs_ids_of_its_own() -> None:
    with pytest.raises(ValueError, match="share ids"):
        AutoregressiveConfig(order="any").resolve(depth=1, shape=SHAPE)
    own = TokenShape(5, 3, 4, 2, ((0, 1), (1, 2)))
    assert AutoregressiveConfig().resolve(depth=1, shape=own).order == "any"


def test_the_embedding_tells_rows_apart(family: InOrder) -> None:
    batch = rows(50)
    found = family.embed(Tokens(batch.ids))
    assert found.shape == (50, 16)
    first = batch.ids[:, 0]
    assert float(found[first == 0].mean(0).sub(found[first == 2].mean(0)).abs().max()) > 0.1


def test_the_net_is_the_one_that_was_asked_for() -> None:
    config = AutoregressiveConfig(net=LstmConfig(dropout=0.5), cell_width=16, cell_layers=2)
    made: InOrder = build_family(config.resolve(depth=1, shape=SHAPE), shape=SHAPE, seed=1)
    assert all(isinstance(layer, RecurrentBlock) for layer in made.net.layers)
    batch = rows(8)
    assert not torch.equal(made.train().net(batch.ids, None, None), made.net(batch.ids, None, None))
    assert torch.equal(made.eval().net(batch.ids, None, None), made.net(batch.ids, None, None))


def test_any_order_takes_no_causal_net() -> None:
    own = TokenShape(vocab_size=8, bos_id=6, eos_id=7, context_tokens=2, cells=((0, 3), (3, 3)))
    with pytest.raises(ValueError, match="perceptron"):
        AutoregressiveConfig(net=LstmConfig()).resolve(depth=1, shape=own)
