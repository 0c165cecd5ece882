"""The baseline for images: samples, its bound, its state."""

from __future__ import annotations

import math

import pytest
import torch

from genwright.core import CapabilityError, DataError
from genwright.core.protocols import Fitted, Grid, GridShape
from genwright.families.pca_mixture import PcaMixture
from genwright.families.pca_mixture_config import PcaMixtureConfig
from genwright.families.store import build_family

from .dense_toys import GRID, bars


def build(shape: GridShape = GRID, **settings: int) -> PcaMixture:
    config = PcaMixtureConfig(**({"num_directions": 14, "num_components": 14} | settings))
    family: PcaMixture = build_family(config.resolve(depth=2, shape=shape), shape=shape)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def fitted() -> PcaMixture:
    family = build()
    family.fit((bars(500, seed=at) for at in range(3)), rng=rng())
    return family


def test_images_of_the_asked_class(fitted: PcaMixture) -> None:
    assert isinstance(fitted, Fitted)
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = fitted.sample(60, cond=cond, rng=rng()).values
    assert images.shape == (60, 1, 8, 8)
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.95


def test_what_was_fitted_travels_and_seeds_repeat(fitted: PcaMixture) -> None:
    other = build()
    other.restore(fitted.state())
    assert torch.equal(other.sample(5, rng=rng()).values, fitted.sample(5, rng=rng()).values)
    again = build()
    again.fit((bars(500, seed=at) for at in range(3)), rng=rng())
    assert all(torch.equal(value, again.state()[name]) for name, value in fitted.state().items())


def test_bound_stays_below_the_truth() -> None:
    """Four independent Gaussian entries of deviation 0.2 have a known entropy per level."""
    shape = GridShape(1, 2, 2)
    levels = ((0.2 * torch.randn(6000, 1, 2, 2, generator=rng()) * 127.5).round() / 127.5).clamp(-1, 1)
    family = build(shape, num_directions=2, num_components=1)
    family.fit([Grid(levels[:3000])], rng=rng())
    bound = family.log_prob(Grid(levels[3000:]))
    assert bound.kind == "lower"
    assert bound.value is not None
    entropy = 4 * (0.5 * math.log(2 * math.pi * math.e * 0.2**2) - math.log(2 / 255))
    assert entropy - 0.1 < -float(bound.value.mean()) < entropy + 0.15


def test_what_does_not_fit_is_said(fitted: PcaMixture) -> None:
    for asked in ({"given": 1}, {"guidance": 2.0}, {"cond": torch.zeros(1, 2)}):
        with pytest.raises(CapabilityError):
            fitted.sample(2, **asked)
    with pytest.raises(DataError):
        build().fit([], rng=rng())
