"""The variational autoencoder: its losses, its bound, its mixture and what it can be asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Clock, Family, Given, Grid, GridShape, Vector, VectorShape
from genwright.families.mixture import fit_mixture
from genwright.families.store import build_family
from genwright.families.vae import Vae
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_observation import GridObservation
from genwright.families.vae_prior import LatentPrior

from .dense_toys import CLASSES, GRID, TABLE, bars, table_rows, train


def build(shape: Any, **settings: Any) -> Vae:
    config = VaeConfig(width=16, num_layers=1, d_latent=4, num_components=8, **settings).resolve(depth=2, shape=shape)
    family: Vae = build_family(config, shape=shape, seed=1)
    return family


@pytest.fixture(scope="module")
def of_table() -> Vae:
    family = build(TABLE)
    train(family, table_rows, steps=400)
    return family


@pytest.fixture(scope="module")
def of_grid() -> Vae:
    family = build(GRID)
    train(family, bars, steps=250)
    return family


def test_keeps_the_protocol_and_learns(of_table: Vae) -> None:
    assert isinstance(of_table, Family)
    batch = table_rows(256, seed=9)
    fresh = build(TABLE).eval()
    assert of_table.log_prob(batch).value.mean() > fresh.log_prob(batch).value.mean() + 1.0


def test_bound_stays_below_the_truth(of_table: Vae) -> None:
    """Rows: a fair coin, and a number at -1 or 1 (by the coin) with deviation 0.1."""
    bound = of_table.log_prob(table_rows(2000, seed=3))
    assert bound.kind == "lower"
    assert bound.value is not None
    entropy = math.log(2.0) + 0.5 * math.log(2.0 * math.pi * math.e * 0.1**2)
    assert entropy - 0.05 < -float(bound.value.mean()) < entropy + 0.5


def test_table_samples_keep_the_tie_between_columns(of_table: Vae) -> None:
    rows = of_table.sample(400, rng=torch.Generator().manual_seed(0)).values
    assert rows.shape == (400, 3)
    assert torch.equal(rows[:, 1:].sum(1), torch.ones(400))
    agrees = (rows[:, 0] > 0) == (rows[:, 2] == 1)
    assert agrees.float().mean() > 0.95
    assert 0.3 < rows[:, 1].mean() < 0.7
    assert rows[:, 0].abs().mean() == pytest.approx(1.0, abs=0.1)


def test_given_entries_stay_and_decide_the_rest(of_table: Vae) -> None:
    values = torch.tensor([[1.0, 0.0, 0.0]]).repeat(100, 1)
    known = torch.tensor([[True, False, False]]).repeat(100, 1)
    out = of_table.sample(100, given=Given(Vector(values), known), rng=torch.Generator().manual_seed(0)).values
    assert torch.equal(out[:, 0], values[:, 0])
    assert (out[:, 2] == 1).float().mean() > 0.9


def test_same_seed_same_bits(of_grid: Vae) -> None:
    first, again = (of_grid.sample(5, rng=torch.Generator().manual_seed(3)).values for _ in range(2))
    assert torch.equal(first, again)
    other = of_grid.sample(5, rng=torch.Generator().manual_seed(4)).values
    assert not torch.equal(first, other)


def test_images_of_the_asked_class(of_grid: Vae) -> None:
    """Class 0 is a horizontal bar, class 1 a vertical one."""
    cond = torch.eye(CLASSES)[torch.arange(40) % 2]
    images = of_grid.sample(40, cond=cond, rng=torch.Generator().manual_seed(0)).values
    assert images.shape == (40, 1, 8, 8)
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(40) % 2 == 0)).float().mean() > 0.95


def test_reconstructs_and_embeds(of_grid: Vae) -> None:
    batch = bars(32, seed=5)
    again = of_grid.reconstruct(batch)
    assert isinstance(again, Grid)
    assert (again.values - batch.values).square().mean() < 0.3 * batch.values.var()
    z = of_grid.embed(batch)
    assert z.shape == (32, 4)
    assert torch.equal(of_grid.decode_latent(z, cond=batch.cond).values, again.values)


@pytest.mark.parametrize(
    "asked",
    [
        {"guidance": 2.0},
        {"cond": torch.eye(2)},
        {"steps": 0},
        {"given": torch.zeros(3, 3)},
        {"given": Given(Vector(torch.zeros(2, 3)), torch.zeros(2, 3, dtype=torch.bool))},
    ],
)
def test_what_does_not_fit_is_said(of_table: Vae, asked: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError):
        of_table.sample(3, **asked)


def test_level_masses_sum_to_one() -> None:
    shape = GridShape(1, 1, 1, levels=5)
    observation = GridObservation(shape)
    observation.log_sigma.fill_(-1.0)
    levels = torch.linspace(-1, 1, 5).view(5, 1, 1, 1)
    for mean in (-2.0, 0.1, 0.9):
        mass = observation.log_prob(torch.full_like(levels, mean), levels).exp()
        assert float(mass.sum()) == pytest.approx(1.0, abs=1e-6)


def test_level_masses_stay_finite_far_out() -> None:
    observation = GridObservation(GridShape(1, 1, 1))
    observation.log_sigma.fill_(math.log(observation.smallest))
    for centre in (-1.0, 0.0, 1.0):
        value = observation.log_prob(torch.full((1, 1, 1, 1), -centre), torch.full((1, 1, 1, 1), centre))
        assert bool(value.isfinite().all())


def test_divergence_warms_up_with_the_clock() -> None:
    family, batch = build(TABLE), table_rows(64, seed=0)
    torch.nn.init.normal_(family.encoder.body.out.weight, generator=torch.Generator().manual_seed(0))
    found = []
    for fraction in (0.0, 0.05, 0.5):
        torch.manual_seed(0)
        _, loss, logs = next(family.losses(batch, Clock(0, fraction)))
        found.append((float(loss.detach()) * 3 - float(logs["reconstruction"])) / float(logs["divergence"]))
    assert found == pytest.approx([0.0, 0.5, 1.0], abs=1e-3)


def test_mixture_finds_two_clusters() -> None:
    rng = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-3.0, 0.0], [3.0, 1.0]])
    rows = centres[torch.arange(1000) % 2] + 0.5 * torch.randn(1000, 2, generator=rng)
    found = fit_mixture(rows, num_components=2, rng=rng)
    order = found.means[:, 0].argsort()
    assert torch.allclose(found.means[order].float(), centres, atol=0.1)
    assert torch.allclose(found.covariances.float(), 0.25 * torch.eye(2).repeat(2, 1, 1), atol=0.06)


def test_mixture_prior_is_better_than_the_normal_one() -> None:
    rng = torch.Generator().manual_seed(0)
    z = torch.sign(torch.randn(600, 1, generator=rng)) + 0.1 * torch.randn(600, 1, generator=rng)
    prior = LatentPrior(1, cond_size=0, num_components=4)
    plain = prior.log_prob(z, None).mean()
    prior.fit(z, None, rng=rng)
    assert prior.log_prob(z, None).mean() > plain + 1.0
    assert prior.draw(None, n=500, temperature=1.0, rng=rng).abs().mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("one_hot", [True, False])
def test_prior_follows_the_condition(one_hot: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    label = torch.arange(600) % 2
    cond = torch.eye(2)[label] if one_hot else (2.0 * label[:, None] - 1.0 + 0.01 * torch.randn(600, 1, generator=rng))
    z = (2.0 * label[:, None] - 1.0) + 0.1 * torch.randn(600, 1, generator=rng)
    prior = LatentPrior(1, cond_size=cond.shape[1], num_components=4)
    prior.fit(z, cond, rng=rng)
    drawn = prior.draw(cond, n=600, temperature=1.0, rng=rng)
    assert (drawn.sign() == z.sign()).float().mean() > 0.98
    assert prior.log_prob(z, cond).mean() > prior.log_prob(z, torch.full_like(cond, math.nan)).mean() + 0.5
    total = torch.linspace(-4, 4, 4001)[:, None]
    mass = prior.log_prob(total, cond[:1].expand(4001, -1)).exp().sum() * 8 / 4000
    assert float(mass) == pytest.approx(1.0, abs=1e-3)


def test_shapes_are_filled_in() -> None:
    config = VaeConfig().resolve(depth=6, shape=VectorShape(TABLE.columns))
    assert (config.width, config.d_latent) == (192, 3)
