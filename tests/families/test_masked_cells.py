"""Masked diffusion over cells by one perceptron: it learns a joint, completes any cells, and bounds the likelihood."""

import itertools
from functools import cache

import pytest
import torch

from genwright.core import SpecError
from genwright.core.protocols import Clock, Given, Tokens, TokenShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.masked_cells import MaskedCells
from genwright.families.masked_diffusion import MaskedDiffusion
from genwright.families.store import build_family
from genwright.families.vae_cells import CellVae
from genwright.families.vae_config import VaeConfig

SHAPE = TokenShape(vocab_size=9, bos_id=7, eos_id=8, context_tokens=3, cells=((0, 2), (2, 3), (5, 2)))
TOLD = TokenShape(vocab_size=9, bos_id=7, eos_id=8, context_tokens=3, cells=((0, 2), (2, 3), (5, 2)), cond_size=2)
EVERY = torch.tensor([(a, b + 2, c + 5) for a, b, c in itertools.product(range(2), range(3), range(2))])


def rows(n: int, seed: int = 3) -> torch.Tensor:
    """Cell 2 equals cell 0; cell 1 is uneven."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, 2, (n,), generator=generator)
    middle = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), n, replacement=True, generator=generator)
    return torch.stack((first, middle + 2, first + 5), dim=1)


@cache
def trained(config, *, shape: TokenShape = SHAPE, steps: int = 200):
    """On half of the rows' condition, which is the first cell, where the shape takes one."""
    family = build_family(config.resolve(depth=1, shape=shape), shape=shape, seed=1)
    optimiser = torch.optim.AdamW(family.parameters(), lr=0.01)
    data = rows(256)
    cond = torch.nn.functional.one_hot(data[:, 0], 2).float() if shape.cond_size else None
    torch.manual_seed(0)
    for step in range(steps):
        (_, loss, _) = next(family.losses(Tokens(data, cond=cond), Clock(step, step / steps)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    family.eval()
    if hasattr(family, "finish"):
        family.finish([Tokens(data, cond=cond)], rng=torch.Generator().manual_seed(1))
    return family


@pytest.mark.parametrize(
    ("config", "kind"),
    [(DiffusionConfig(likelihood_points=256), MaskedCells), (VaeConfig(width=32, num_components=4), CellVae)],
)
def test_it_learns_a_joint_and_bounds_its_likelihood(config, kind) -> None:
    family = trained(config)
    assert isinstance(family, kind)
    bound = family.log_prob(Tokens(EVERY))
    assert bound.kind == "lower" and bound.value is not None
    assert 0.8 < float(bound.value.exp().sum()) <= 1.02
    assert torch.equal(bound.value, family.log_prob(Tokens(EVERY)).value)
    held = family.held_out_nats(Tokens(rows(400, 9)))
    exact = family.log_prob(Tokens(rows(400, 9))).value
    assert exact is not None and abs(float(held.mean() + exact.mean())) < 0.3
    drawn = family.sample(600, rng=torch.Generator().manual_seed(5)).ids
    assert (drawn[:, 0] == drawn[:, 2] - 5).float().mean() > 0.95
    assert abs(float((drawn[:, 1] == 2).float().mean()) - 0.6) < 0.12
    assert torch.equal(drawn, family.sample(600, rng=torch.Generator().manual_seed(5)).ids)


@pytest.mark.parametrize("config", [DiffusionConfig(), VaeConfig(width=32, num_components=4)])
@pytest.mark.parametrize("place", [0, 2])
def test_given_cells_stay_and_decide_the_others(config, place) -> None:
    family = trained(config)
    known = torch.zeros(60, 3, dtype=torch.bool)
    known[:, place] = True
    ids = torch.tensor([[1, 2, 6]]).expand(60, 3)
    made = family.sample(60, given=Given(Tokens(ids), known), rng=torch.Generator().manual_seed(5)).ids
    assert (made[:, place] == ids[:, place]).all() and (made[:, 2 - place] == ids[:, 2 - place]).float().mean() > 0.9
    assert len(made[:, 1].unique()) > 1


@pytest.mark.parametrize("config", [DiffusionConfig(), VaeConfig(width=32, num_components=4)])
def test_a_condition_decides(config) -> None:
    family = trained(config, shape=TOLD)
    cond = torch.tensor([[0.0, 1.0]]).expand(100, 2)
    assert (family.sample(100, cond=cond, rng=torch.Generator().manual_seed(2)).ids[:, 0] == 1).float().mean() > 0.9


def test_fewer_steps_fill_in_more_cells_at_once() -> None:
    family = trained(DiffusionConfig())
    once = family.sample(600, steps=1, rng=torch.Generator().manual_seed(5)).ids
    assert 0.35 < (once[:, 0] == once[:, 2] - 5).float().mean() < 0.65
    assert all((once >= torch.tensor([0, 2, 5])).all(1)) and all((once < torch.tensor([2, 5, 7])).all(1))


def test_the_latent_of_a_row_says_what_it_is() -> None:
    family = trained(VaeConfig(width=32, num_components=4))
    data = Tokens(rows(200, 7))
    again = family.reconstruct(data).ids
    assert (again[:, 0] == data.ids[:, 0]).float().mean() > 0.9
    assert family.embed(data).shape == (200, family.d_latent)


def test_a_transformer_may_be_asked_for_and_cells_that_share_ids_have_one() -> None:
    config = DiffusionConfig.parse({"kind": "diffusion", "net": "bidirectional"}, where="family")
    assert isinstance(build_family(config.resolve(depth=1, shape=SHAPE), shape=SHAPE), MaskedDiffusion)
    shared = TokenShape(4, 2, 3, 2, cells=((0, 2), (0, 2)))
    assert isinstance(build_family(DiffusionConfig().resolve(depth=1, shape=shared), shape=shared), MaskedDiffusion)
    with pytest.raises((ValueError, SpecError), match="bidirectional"):
        DiffusionConfig.parse({"kind": "diffusion", "net": "mlp"}, where="family").resolve(depth=1, shape=shared)
