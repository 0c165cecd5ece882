"""Diffusion over vectors and images: what it learns, its samplers, and what it can be asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Family, Given, Grid, Vector, VectorColumn, VectorShape
from genwright.families.diffusion import Diffusion
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.diffusion_samplers import STEPS, Known, descend, ladder, with_block_means
from genwright.families.store import build_family
from genwright.nets import DitConfig, MlpConfig, UNetConfig

from .dense_toys import GRID, PLANE, TABLE, bars, plane, table_rows, train

CONDITIONED = VectorShape((VectorColumn("x", "number"),), cond_size=2)


def build(shape: Any, **settings: Any) -> Diffusion:
    config = DiffusionConfig(**({"net": MlpConfig(width=48, num_layers=2)} | settings)).resolve(depth=2, shape=shape)
    family: Diffusion = build_family(config, shape=shape, seed=1)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_classes(count: int, *, seed: int) -> Vector:
    """Broad clusters at -1 and 1, which overlap; the condition says which."""
    draw = rng(seed)
    label = torch.randint(0, 2, (count,), generator=draw)
    x = 2.0 * label - 1.0 + torch.randn(count, generator=draw)
    return Vector(x[:, None], torch.eye(2)[label])


@pytest.fixture(scope="module")
def of_grid() -> Diffusion:
    family = build(GRID, net=UNetConfig(width=16, num_layers=1), steps=10)
    train(family, bars, steps=300, rows=64)
    return family


@pytest.fixture(scope="module")
def of_table() -> Diffusion:
    family = build(TABLE)
    train(family, table_rows, steps=400)
    return family


@pytest.fixture(scope="module")
def of_classes() -> Diffusion:
    family = build(CONDITIONED)
    train(family, two_classes, steps=400)
    return family


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean())


@pytest.mark.parametrize("objective", ["edm", "flow"])
def test_recovers_a_mixture_in_the_plane(objective: str) -> None:
    family = build(PLANE, objective=objective)
    assert isinstance(family, Family)
    logs = train(family, plane, steps=600)
    first, last = (sum(log["loss"] for log in part) for part in (logs[:20], logs[-20:]))
    assert last < 0.8 * first
    real = plane(2000, seed=10**7).values
    made = family.sample(2000, rng=rng()).values
    floor = energy_distance(plane(2000, seed=10**7 + 1).values, real)
    assert energy_distance(made, real) < floor + 0.02
    assert (made[:, 0] > 0).float().mean() == pytest.approx(2 / 3, abs=0.06)


def test_categories_come_out_one_hot_and_tied(of_table: Diffusion) -> None:
    rows = of_table.sample(400, rng=rng()).values
    assert torch.equal(rows[:, 1:].sum(1), torch.ones(400))
    assert ((rows[:, 0] > 0) == (rows[:, 2] == 1)).float().mean() > 0.95
    assert 0.35 < rows[:, 1].mean() < 0.65


def test_given_entries_stay_and_decide_the_rest(of_table: Diffusion) -> None:
    values = torch.tensor([[0.0, 0.0, 1.0]]).repeat(200, 1)
    known = torch.tensor([[False, True, True]]).repeat(200, 1)
    out = of_table.sample(200, given=Given(Vector(values), known), rng=rng()).values
    assert torch.equal(out[:, 1:], values[:, 1:])
    assert (out[:, 0] > 0).float().mean() > 0.9


def test_same_seed_same_bits(of_table: Diffusion) -> None:
    first, again, other = (of_table.sample(5, rng=rng(seed)).values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_guidance_exaggerates_the_condition(of_classes: Diffusion) -> None:
    cond = torch.tensor([[0.0, 1.0]]).repeat(600, 1)
    shares = [
        float((of_classes.sample(600, cond=cond, guidance=weight, rng=rng()).values > 0).float().mean())
        for weight in (0.0, 1.0, 3.0)
    ]
    assert shares[0] == pytest.approx(0.5, abs=0.12)
    assert shares[1] == pytest.approx(0.84, abs=0.08)
    assert shares[2] > shares[1] + 0.05


def test_guidance_acts_below_a_noise_level_where_one_is_said(of_classes: Diffusion) -> None:
    cond = torch.tensor([[0.0, 1.0]]).repeat(200, 1)
    found = {}
    for below in (1e-9, 0.5, None):
        of_classes.config = of_classes.config.model_copy(update={"guided_below": below})
        found[below] = of_classes.sample(200, cond=cond, guidance=3.0, rng=rng()).values
    assert torch.equal(found[1e-9], of_classes.sample(200, cond=cond, guidance=1.0, rng=rng()).values)
    plain, low, full = (found[below].mean() for below in (1e-9, 0.5, None))
    assert plain < low < full


def test_lower_temperature_spreads_less(of_classes: Diffusion) -> None:
    cold, warm = (of_classes.sample(500, temperature=t, rng=rng()).values.std() for t in (0.3, 1.0))
    assert cold < 0.8 * warm


def test_images_of_the_asked_class(of_grid: Diffusion) -> None:
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = of_grid.sample(60, cond=cond, rng=rng()).values
    assert images.shape == (60, 1, 8, 8)
    assert images.abs().max() <= 1.0
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.9


def test_a_transformer_over_patches_learns_the_classes() -> None:
    family = build(GRID, net=DitConfig(width=32, num_layers=2), steps=10)
    logs = train(family, bars, steps=400, rows=64, rate=0.003)
    assert sum(log["loss"] for log in logs[-20:]) < 0.5 * sum(log["loss"] for log in logs[:20])
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = family.sample(60, cond=cond, guidance=1.5, rng=rng()).values
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.8


def test_a_net_of_another_representation_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'mlp'"):
        build(GRID)
    with pytest.raises(ValueError, match="not 'transformer'"):
        DiffusionConfig.parse({"net": "transformer"}, where="x").resolve(depth=2, shape=PLANE)


def test_removes_noise(of_grid: Diffusion) -> None:
    clean = bars(64, seed=10**7)
    noisy = clean.values + 0.4 * torch.randn(clean.values.shape, generator=rng())
    before = (noisy.clamp(-1, 1) - clean.values).square().mean()
    after = of_grid.denoise(Grid(noisy, clean.cond), noise_level=0.4)
    assert (after.values - clean.values).square().mean() < 0.3 * before
    with pytest.raises(CapabilityError):
        of_grid.denoise(clean, noise_level=0.0)


def test_super_resolution_keeps_the_block_means(of_grid: Diffusion) -> None:
    clean = bars(32, seed=10**7)
    low = torch.nn.functional.avg_pool2d(clean.values, 2)
    out = of_grid.super_resolve(Grid(low), cond=clean.cond, rng=rng())
    nearest = low.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert (torch.nn.functional.avg_pool2d(out.values, 2) - low).abs().mean() < 0.03
    assert (out.values - clean.values).square().mean() < (nearest - clean.values).square().mean()
    with pytest.raises(CapabilityError):
        of_grid.super_resolve(Grid(torch.zeros(1, 1, 3, 4)))


def test_no_likelihood_is_claimed(of_table: Diffusion) -> None:
    bound = of_table.log_prob(table_rows(2, seed=0))
    assert (bound.value, bound.kind) == (None, "none")


@pytest.mark.parametrize("name", list(STEPS))
def test_samplers_reach_a_known_gaussian(name: str) -> None:
    """For data N(3, 0.5^2) the best estimate is known, so that a sampler alone is at fault if the spread is wrong."""

    def exact(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return (0.25 * x + sigma**2 * 3.0) / (0.25 + sigma**2)

    draw = rng()
    sigmas = ladder(200 if name != "heun" else 40, sigma_max=80.0)

    def noise() -> torch.Tensor:
        return torch.randn(4000, 1, generator=draw)

    out = descend(exact, 80.0 * noise(), sigmas, step=STEPS[name], noise=noise)
    assert float(out.mean()) == pytest.approx(3.0, abs=0.05)
    assert float(out.std()) == pytest.approx(0.5, abs=0.03)


def test_known_entries_pull_the_others_along() -> None:
    """Two equal numbers: knowing one tells the other."""

    def exact(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return (x.mean(1, keepdim=True) / (1.0 + sigma**2 / 2.0)).expand_as(x)

    draw = rng()
    known = Known(torch.tensor([[1.3, 0.0]]).repeat(500, 1), torch.tensor([[True, False]]).repeat(500, 1))
    out = descend(
        exact,
        80.0 * torch.randn(500, 2, generator=draw),
        ladder(40, sigma_max=80.0),
        step=STEPS["heun"],
        noise=lambda: torch.randn(500, 2, generator=draw),
        known=known,
    )
    assert float(out[:, 1].mean()) == pytest.approx(1.3, abs=0.1)


def test_projection_hits_the_block_means_exactly() -> None:
    low = torch.randn(2, 1, 2, 2, generator=rng())
    projected = with_block_means(lambda x, sigma: x, low)
    out = projected(torch.randn(2, 1, 6, 6, generator=rng(1)), 1.0)
    assert torch.allclose(torch.nn.functional.avg_pool2d(out, 3), low, atol=1e-6)


@pytest.mark.parametrize(
    "asked", [{"guidance": 2.0}, {"cond": torch.eye(2)}, {"steps": 0}, {"temperature": -1.0}, {"given": "x"}]
)
def test_what_does_not_fit_is_said(of_table: Diffusion, asked: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError):
        of_table.sample(2, **asked)
