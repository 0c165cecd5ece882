"""Sequences of any length that follow a condition: exact, guided, and from a given start."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Clock, Family, Given, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.conditioned import ConditionedSequences
from genwright.families.store import build_family
from genwright.nets import LstmConfig, TransformerConfig

SHAPE = TokenShape(vocab_size=4, bos_id=2, eos_id=3, context_tokens=6, cond_size=2)


def rows(count: int, seed: int = 3) -> Tokens:
    """Class 0 writes zeros and class 1 ones, three times out of four; 1 to 4 tokens."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 2, (count,), generator=generator)
    own = torch.rand(count, 4, generator=generator) < 0.75
    size = torch.randint(1, 5, (count, 1), generator=generator)
    body = torch.where(own, label[:, None], 1 - label[:, None])
    place = torch.arange(6)
    ids = torch.full((count, 6), 3)
    ids[:, 0] = 2
    ids[:, 1:5] = torch.where(place[:4] < size, body, 3)
    return Tokens(ids, place < size + 2, torch.eye(2)[label])


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def family(request: pytest.FixtureRequest) -> ConditionedSequences:
    net = {"transformer": TransformerConfig, "lstm": LstmConfig}[request.param](d_model=32, num_layers=1)
    config = AutoregressiveConfig(net=net).resolve(depth=1, shape=SHAPE)
    made: ConditionedSequences = build_family(config, shape=SHAPE, seed=1)
    optimiser = torch.optim.AdamW(made.parameters(), lr=0.01)
    torch.manual_seed(0)
    for step in range(200):
        ((_, loss, _),) = made.losses(rows(256, seed=step), Clock(0, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return made.eval()


def rng(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ones(made: Tokens) -> float:
    body = made.ids[:, 1:]
    return float((body == 1).sum() / (body < 2).sum())


def test_probabilities_sum_to_one_and_do_not_see_the_padding(family: ConditionedSequences) -> None:
    assert isinstance(family, Family)
    total = 0.0
    for size in range(6):
        every = list(itertools.product((0, 1), repeat=size))
        ids = torch.tensor([[2, *one, 3] for one in every])
        value = family.log_prob(Tokens(ids, cond=torch.eye(2)[[1] * len(every)])).value
        padded = torch.nn.functional.pad(ids, (0, 2), value=3)
        mask = (torch.arange(size + 4) < size + 2).expand(len(every), -1)
        again = family.log_prob(Tokens(padded, mask, torch.eye(2)[[1] * len(every)])).value
        assert value is not None and again is not None
        torch.testing.assert_close(value, again, atol=1e-5, rtol=1e-5)
        total += float(value.exp().sum())
    assert 0.98 < total <= 1.0 + 1e-5


def test_samples_follow_the_condition_and_guidance_exaggerates_it(family: ConditionedSequences) -> None:
    told = torch.eye(2)[[1] * 400]
    plain, guided = (family.sample(400, cond=told, guidance=g, rng=rng()) for g in (1.0, 2.0))
    assert 0.68 < ones(plain) < 0.82 and ones(guided) > ones(plain) + 0.05
    assert 0.4 < ones(family.sample(400, rng=rng())) < 0.6
    again = family.sample(400, cond=told, rng=rng())
    assert torch.equal(again.ids, plain.ids)
    assert plain.mask is not None
    assert bool((plain.ids[plain.mask][plain.ids[plain.mask] == 2]).numel() == 400), "one begin mark in each row"


def test_a_start_is_kept(family: ConditionedSequences) -> None:
    ids = torch.tensor([[2, 1, 1, 3], [2, 0, 3, 3]])
    known = torch.tensor([[True, True, True, False], [True, True, False, False]])
    made = family.sample(2, given=Given(Tokens(ids), known), rng=rng()).ids
    assert made[0, 1:3].tolist() == [1, 1] and made[1, 1] == 0
    with pytest.raises(CapabilityError, match="left to right"):
        family.sample(2, given=Given(Tokens(ids), known.flip(1)), rng=rng())


def test_batches_of_like_length_have_together_the_loss_of_all_rows(family: ConditionedSequences) -> None:
    batch = rows(64)
    assert batch.mask is not None and batch.cond is not None
    order = batch.mask.sum(1).argsort()
    mean = float(batch.mask[:, 1:].sum()) / 64

    def loss(part: torch.Tensor, mean_tokens: float | None) -> float:
        told = torch.full_like(batch.cond[part], float("nan"))
        ((_, value, _),) = family.losses(Tokens(batch.ids[part], batch.mask[part], told, mean_tokens), Clock(0, 0.0))
        return float(value.detach())

    parts = [loss(order[:32], mean), loss(order[32:], mean)]
    assert abs(parts[0] - parts[1]) > 0.1
    assert sum(parts) / 2 == pytest.approx(loss(order, None), abs=1e-5)


def test_the_embedding_is_one_vector_for_each_row(family: ConditionedSequences) -> None:
    batch = rows(64)
    found = family.embed(batch)
    assert found.shape == (64, family.config.cell_width)
    assert float(found.std(0).max()) > 0.1


def test_no_sample_is_empty() -> None:
    net = TransformerConfig(d_model=32, num_layers=1)
    fresh: ConditionedSequences = build_family(AutoregressiveConfig(net=net).resolve(depth=1, shape=SHAPE), shape=SHAPE)
    ids = fresh.eval().sample(100, cond=torch.eye(2)[[0] * 100], rng=rng()).ids
    assert bool((ids[:, 1] != 3).all()) and bool((ids[:, 2] == 3).any())
