"""The adversarial family: the order of its two parts, what it learns, and what it cannot do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Clock, Family, Given, Vector
from genwright.families.gan import Gan
from genwright.families.gan_config import GanConfig
from genwright.families.store import build_family

from .dense_toys import GRID, PLANE, TABLE, bars, plane, table_rows, train


def build(shape: Any, **settings: Any) -> Gan:
    config = GanConfig(**({"width": 32, "num_layers": 1, "d_latent": 8} | settings)).resolve(depth=2, shape=shape)
    family: Gan = build_family(config, shape=shape, seed=1)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def of_table() -> Gan:
    family = build(TABLE)
    train(family, table_rows, steps=800, rate=0.002)
    return family


def test_the_critic_comes_first_and_neither_moves_the_other() -> None:
    family = build(TABLE)
    assert isinstance(family, Family)
    parts = {name: list(parameters) for name, parameters in family.parts().items()}
    assert sum(map(len, parts.values())) == len(list(family.parameters()))
    stream = family.losses(table_rows(32, seed=0), Clock(0, 0.0))
    for name in ("critic", "generator"):
        part, loss, _ = next(stream)
        assert part == name
        loss.backward()
        assert any(p.grad is not None and bool(p.grad.any()) for p in parts[name])
        if name == "critic":
            assert all(p.grad is None for p in parts["generator"])
    assert next(stream, None) is None


def test_learns_both_clusters_of_the_plane() -> None:
    family = build(PLANE)
    logs = train(family, plane, steps=800, rate=0.002)
    made = family.sample(1000, rng=rng()).values
    right = made[:, 0] > 0
    assert 0.45 < right.float().mean() < 0.85
    assert torch.allclose(made[right].mean(0), torch.tensor([1.0, 0.5]), atol=0.15)
    assert torch.allclose(made[~right].mean(0), torch.tensor([-1.0, -0.5]), atol=0.15)
    assert logs[-1]["spread"] == pytest.approx(1.0, abs=0.2)


def test_table_columns_stay_tied(of_table: Gan) -> None:
    rows = of_table.sample(400, rng=rng()).values
    assert torch.equal(rows[:, 1:].sum(1), torch.ones(400))
    assert ((rows[:, 0] > 0) == (rows[:, 2] == 1)).float().mean() > 0.9
    assert 0.25 < rows[:, 1].mean() < 0.75


def test_images_of_the_asked_class() -> None:
    family = build(GRID, width=16)
    train(family, bars, steps=300, rows=64, rate=0.002)
    cond = torch.eye(2)[torch.arange(60) % 2]
    images = family.sample(60, cond=cond, rng=rng()).values
    assert images.shape == (60, 1, 8, 8)
    across = images.mean((1, 3)).var(1) > images.mean((1, 2)).var(1)
    assert (across == (torch.arange(60) % 2 == 0)).float().mean() > 0.85


def test_penalties_fall_over_the_budget() -> None:
    family, batch = build(TABLE, gamma=2.0, gamma_final=0.0), table_rows(64, seed=0)
    found = []
    for fraction in (0.0, 0.5, 1.0):
        torch.manual_seed(0)
        _, loss, logs = next(family.losses(batch, Clock(0, fraction)))
        found.append(float((loss.detach() - logs["critic"]) / (0.5 * logs["penalty"])))
    assert found == pytest.approx([2.0, 1.0, 0.0], abs=1e-3)


def test_same_seed_same_bits(of_table: Gan) -> None:
    first, again, other = (of_table.sample(5, rng=rng(seed)).values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert of_table.log_prob(table_rows(2, seed=0)).kind == "none"


@pytest.mark.parametrize(
    "asked",
    [
        {"guidance": 2.0},
        {"cond": torch.eye(2)},
        {"steps": 0},
        {"given": Given(Vector(torch.zeros(2, 3)), torch.ones(2, 3, dtype=torch.bool))},
    ],
)
def test_what_does_not_fit_is_said(of_table: Gan, asked: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError):
        of_table.sample(2, **asked)
