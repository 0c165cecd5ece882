"""The latent-class mixture: its likelihood sums to one, and it completes rows."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Given, Tokens, TokenShape
from genwright.families import latent_class
from genwright.families.latent_class import LatentClass
from genwright.families.latent_class_config import LatentClassConfig

SHAPE = TokenShape(vocab_size=6, bos_id=4, eos_id=5, context_tokens=2, cells=((0, 2), (2, 2)))


def test_it_sums_to_one_learns_and_completes() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, 2, (500,), generator=generator)
    family = LatentClass(LatentClassConfig(num_classes=4), shape=SHAPE)
    family.fit([Tokens(torch.stack((first, first + 2), dim=1))], rng=generator)
    every = torch.tensor(list(itertools.product((0, 1), (2, 3))))
    value = family.log_prob(Tokens(every)).value
    assert value is not None
    torch.testing.assert_close(value.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    again = LatentClass(family.config, shape=SHAPE)
    again.restore(family.state())
    drawn = again.sample(200, rng=torch.Generator().manual_seed(1)).ids
    assert (drawn[:, 0] == drawn[:, 1] - 2).float().mean() > 0.95
    known = torch.tensor([[False, True]]).expand(50, 2)
    made = again.sample(50, given=Given(Tokens(torch.tensor([[0, 3]]).expand(50, 2)), known), rng=generator).ids
    assert (made[:, 1] == 3).all() and (made[:, 0] == 1).float().mean() > 0.9


def test_blocks_of_rows_are_added_up_and_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.stack((torch.arange(90) % 2, 2 + torch.arange(90) // 45), dim=1)
    # One class has the same responsibilities whatever the blocks: its shares are those of the whole.
    monkeypatch.setattr(latent_class, "BLOCK_ROWS", 7)
    one = LatentClass(LatentClassConfig(num_classes=1, smoothing=1e-9), shape=SHAPE)
    one.fit([Tokens(ids)], rng=torch.Generator().manual_seed(0))
    value = one.log_prob(Tokens(ids)).value
    assert value is not None
    torch.testing.assert_close(value.exp(), torch.full((90,), 0.25, dtype=torch.float64))
    states = []
    for seed in (1, 1, 2):
        family = LatentClass(LatentClassConfig(num_classes=3, num_rounds=2), shape=SHAPE)
        family.fit([Tokens(ids)], rng=torch.Generator().manual_seed(seed))
        states.append(family.state()["logits"].nan_to_num(neginf=0.0))
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_it_needs_a_fixed_layout() -> None:
    with pytest.raises(CapabilityError, match="fixed layout"):
        LatentClass(LatentClassConfig(), shape=TokenShape(6, 4, 5, 8))
