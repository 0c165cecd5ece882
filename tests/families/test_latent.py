"""Two-stage families: windows, standardised latents, and samples of either prior."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genwright.core import CapabilityError, SpecError
from genwright.core.protocols import Clock, Family, Given, Grid, Vector
from genwright.families import AutoregressiveConfig
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.gan_config import GanConfig
from genwright.families.latent import Latent
from genwright.families.latent_codes import CodeLatent
from genwright.families.latent_config import LatentConfig
from genwright.families.store import build_family
from genwright.families.vae_config import VaeConfig
from genwright.nets import BidirectionalConfig, MlpConfig

from .dense_toys import GRID, TABLE, bars, table_rows, train

PRIORS: dict[str, Any] = {
    "diffusion": DiffusionConfig(net=MlpConfig(width=32, num_layers=2), steps=10),
    "gan": GanConfig(width=32, num_layers=1),
}


def build(shape: Any, prior: str) -> Latent:
    config = LatentConfig(autoencoder=VaeConfig(width=16, num_layers=1, d_latent=4), prior=PRIORS[prior])
    family: Latent = build_family(config.resolve(depth=2, shape=shape), shape=shape, seed=1)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=list(PRIORS))
def of_table(request: pytest.FixtureRequest) -> Latent:
    family = build(TABLE, request.param)
    train(family, table_rows, steps=800)
    return family


def test_columns_stay_tied(of_table: Latent) -> None:
    assert isinstance(of_table, Family)
    rows = of_table.sample(400, rng=rng()).values
    assert torch.equal(rows[:, 1:].sum(1), torch.ones(400))
    assert ((rows[:, 0] > 0) == (rows[:, 2] == 1)).float().mean() > 0.9
    assert 0.25 < rows[:, 1].mean() < 0.75
    assert of_table.log_prob(table_rows(2, seed=0)).kind == "none"


def test_latents_are_standardised_by_what_the_prior_saw(of_table: Latent) -> None:
    z = of_table.embed(table_rows(2000, seed=10**7))
    assert torch.allclose(z.mean(0), of_table.mean, atol=0.1)
    assert of_table.count == 400 * 128


def test_same_seed_same_bits_and_given_entries_stay(of_table: Latent) -> None:
    first, again, other = (of_table.sample(5, rng=rng(seed)).values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    values = torch.tensor([[1.0, 0.0, 0.0]]).repeat(60, 1)
    known = torch.tensor([[True, False, False]]).repeat(60, 1)
    out = of_table.sample(60, given=Given(Vector(values), known), rng=rng()).values
    assert torch.equal(out[:, 0], values[:, 0])
    assert (out[:, 2] == 1).float().mean() > 0.85


def test_each_part_has_its_turn() -> None:
    family, batch = build(TABLE, "gan"), table_rows(16, seed=0)
    early = [part for part, _, _ in family.losses(batch, Clock(0, 0.49))]
    late = [part for part, _, _ in family.losses(batch, Clock(1, 0.5))]
    assert early == ["autoencoder/net"]
    assert late == ["prior/critic", "prior/generator"]
    assert set(family.parts()) == {*early, *late} == set(family.optimisers())
    assert family.window(early[0]) == (0.0, 0.5)
    assert family.window(late[0]) == (0.5, 1.0)


def test_the_autoencoder_stands_still_in_the_second_window() -> None:
    family, batch = build(TABLE, "diffusion"), table_rows(16, seed=0)
    for _, loss, _ in family.losses(batch, Clock(0, 0.9)):
        loss.backward()
    assert all(parameter.grad is None for parameter in family.autoencoder.parameters())
    assert any(parameter.grad is not None for parameter in family.prior.parameters())


def test_images_of_the_asked_class() -> None:
    family = build(GRID, "diffusion")
    train(family, bars, steps=500, rows=64)
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = family.sample(60, cond=cond, guidance=1.5, rng=rng()).values
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.9


def test_what_the_prior_cannot_is_said() -> None:
    with pytest.raises(CapabilityError):
        build(GRID, "gan").sample(2, cond=torch.eye(2), guidance=2.0)
    with pytest.raises(ValueError, match="'autoregressive' is no prior here: the latent is of kind 'vector'"):
        LatentConfig(prior=AutoregressiveConfig()).resolve(depth=2, shape=TABLE)
    with pytest.raises(SpecError, match="'vae' is no prior"):
        build_family(LatentConfig(prior=VaeConfig()).resolve(depth=2, shape=TABLE), shape=TABLE, seed=1)


CODE_PRIORS: dict[str, Any] = {
    "autoregressive": AutoregressiveConfig(cell_width=32, cell_layers=1),
    "diffusion": DiffusionConfig(net=BidirectionalConfig(width=32, num_layers=1)),
}


@pytest.fixture(scope="module", params=list(CODE_PRIORS))
def of_codes(request: pytest.FixtureRequest) -> CodeLatent:
    autoencoder = VaeConfig(quantiser="vq", width=16, num_layers=1, num_codes=16, d_code=4)
    config = LatentConfig(autoencoder=autoencoder, prior=CODE_PRIORS[request.param])
    family: CodeLatent = build_family(config.resolve(depth=2, shape=GRID), shape=GRID, seed=1)
    train(family, bars, steps=400, rows=64)
    return family


def test_codes_of_the_asked_class(of_codes: CodeLatent) -> None:
    assert isinstance(of_codes, Family)
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = of_codes.sample(60, cond=cond, guidance=1.5, rng=rng())
    assert torch.equal(images.values, of_codes.sample(60, cond=cond, guidance=1.5, rng=rng()).values)
    across = images.values.mean((1, 3)).var(1) > images.values.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.9


def test_a_prior_over_codes_beats_codes_drawn_place_by_place(of_codes: CodeLatent) -> None:
    batch = bars(200, seed=10**7)
    bound, alone = of_codes.log_prob(batch), of_codes.autoencoder.log_prob(batch).value
    assert bound.kind == "lower"
    assert bound.value is not None
    assert bound.value.mean() > alone.mean() + 1.0


def test_known_entries_of_an_image_stay(of_codes: CodeLatent) -> None:
    batch = bars(20, seed=10**7)
    known = torch.zeros(20, 1, 8, 8, dtype=torch.bool)
    known[..., :4] = True
    out = of_codes.sample(20, given=Given(batch, known), cond=batch.cond, rng=rng())
    assert isinstance(out, Grid)
    assert torch.equal(out.values[known], batch.values[known])


def test_codes_take_no_adversarial_prior() -> None:
    config = LatentConfig(autoencoder=VaeConfig(quantiser="vq"), prior=GanConfig())
    with pytest.raises(ValueError, match="'gan' is no prior here: the latent is of kind 'tokens'"):
        config.resolve(depth=2, shape=GRID)
