"""Codes of images: round trips, use of the whole book, a bound, and completion."""

from __future__ import annotations

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Family, Given, Grid, TokenShape
from genwright.families.store import build_family
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_vq import VqVae

from .dense_toys import GRID, bars, train

BATCH = bars(64, seed=10**7)


def build() -> VqVae:
    config = VaeConfig(quantiser="vq", width=16, num_layers=1, num_codes=32, d_code=4)
    family: VqVae = build_family(config.resolve(depth=2, shape=GRID), shape=GRID, seed=1)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def family() -> VqVae:
    made = build()
    logs = train(made, bars, steps=300, rows=64)
    assert logs[-1]["loss"] < logs[0]["loss"]
    assert logs[-1]["perplexity"] > 8, "the book is used"
    return made


def test_codes_give_the_image_back(family: VqVae) -> None:
    assert isinstance(family, Family)
    codes = family.codes(BATCH)
    assert codes.ids.shape == (64, 4)
    assert 0 <= codes.ids.min() <= codes.ids.max() < 32
    out = family.decode_codes(codes)
    assert torch.equal(out.values, family.reconstruct(BATCH).values)
    assert (out.values - BATCH.values).square().mean() < 0.25 * BATCH.values.var()
    assert torch.equal(family.decode_latent(family.embed(BATCH), cond=BATCH.cond).values, out.values)


def test_the_bound_counts_codes_and_image(family: VqVae) -> None:
    bound = family.log_prob(BATCH)
    assert bound.kind == "lower"
    assert bound.value is not None
    seen = family.log_likelihood(BATCH, family.codes(BATCH))
    assert bool((bound.value < seen).all()), "codes cost nats"
    noise = Grid(torch.rand(64, 1, 8, 8, generator=rng()) * 2 - 1, BATCH.cond)
    likely = family.log_prob(noise).value
    assert likely is not None
    assert likely.mean() < bound.value.mean()


def test_same_seed_same_bits_and_given_entries_stay(family: VqVae) -> None:
    cond = torch.eye(2)[torch.arange(6) % 2]
    first, again, other = (family.sample(6, cond=cond, rng=rng(seed)).values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    known = torch.zeros(64, 1, 8, 8, dtype=torch.bool)
    known[..., :4] = True
    out = family.sample(64, given=Given(BATCH, known), cond=BATCH.cond, rng=rng()).values
    assert torch.equal(out[known], BATCH.values[known])
    with pytest.raises(CapabilityError):
        family.sample(2, guidance=2.0, cond=torch.eye(2))


def test_it_works_on_images_only() -> None:
    with pytest.raises(ValueError, match="works on grids"):
        VaeConfig(quantiser="vq").resolve(depth=2, shape=TokenShape(5, 3, 4, 8))
