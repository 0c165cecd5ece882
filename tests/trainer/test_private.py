"""Private training: what one row can move, how rows come, that noise is there, and that a kill changes nothing."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genwright.core import SpecError, component
from genwright.core.protocols import Batch, Clock, Encoded, Shape, TokenShape
from genwright.families.store import build_family
from genwright.nets.plain import plain_formulas
from genwright.trainer import PrivacyConfig
from genwright.trainer.loop import Job
from genwright.trainer.poisson import PoissonRows
from genwright.trainer.private import Mechanism, PrivateGradients, multiplier_for
from genwright.trainer.rows import RowFeed

from .fakes import config, run
from .test_families_resume import CELLS, GRID, SEQUENCES, VECTOR, Killed, rows

CLOCK = Clock(3, 0.5)
COND = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
SMALL_NET: dict[str, Any] = {"kind": "transformer", "d_model": 16, "num_layers": 1, "num_heads": 2}
# Without chance of their own, so that a row's gradient can be had twice.
FIXED: list[tuple[str, dict[str, Any], Shape]] = [
    ("autoregressive", {"order": "layout", "cell_width": 16, "cell_layers": 1}, CELLS),
    ("autoregressive", {"net": SMALL_NET}, SEQUENCES),
    ("autoregressive", {"net": {"kind": "lstm", "d_model": 16}}, SEQUENCES),
]
ABLE: list[tuple[str, dict[str, Any], Shape]] = [
    *FIXED,
    ("autoregressive", {}, CELLS),
    ("autoregressive", {}, replace(CELLS, cond_size=2)),
    ("autoregressive", {"cell_width": 16, "cell_layers": 1}, replace(SEQUENCES, cond_size=2)),
    ("vae", {"d_latent": 4}, SEQUENCES),
    ("vae", {"d_latent": 4}, CELLS),
    ("diffusion", {}, SEQUENCES),
    ("diffusion", {}, CELLS),
    ("diffusion", {}, VECTOR),
    ("diffusion", {"net": {"kind": "unet", "width": 8}}, GRID),
    ("diffusion", {"net": {"kind": "dit", "width": 8}}, GRID),
]


def family_of(kind: str, settings: dict[str, Any], shape: Shape) -> Any:
    found: Any = component("families", kind).config.parse({"kind": kind} | settings, where="family")
    return build_family(found.resolve(depth=1, shape=shape), shape=shape, seed=1)


def feed_of(shape: Shape, encoded: Encoded | None = None) -> RowFeed:
    made = encoded or rows(shape)
    made = replace(made, cond=COND) if shape.cond_size else made
    return RowFeed(made, shape=shape, seed=1, device="cpu")


def mechanism(draw: Any, *, multiplier: float, bound: float = 1.0, expected_rows: int = 8) -> Mechanism:
    return Mechanism(draw, rate=0.2, expected_rows=expected_rows, bound=bound, seed=5, multiplier=multiplier)


def summed(family: Any, batch: Batch | None, *, bound: float, multiplier: float = 0.0) -> dict[str, Tensor]:
    """The gradients that a step on that batch leaves, not yet divided."""
    made = mechanism(lambda _: batch, multiplier=multiplier, bound=bound, expected_rows=1)
    torch.manual_seed(0)
    PrivateGradients(family, mechanism=made, micro_rows=3).fill(0, CLOCK)
    return {name: value.grad.clone() for name, value in family.named_parameters()}


def length(gradients: dict[str, Tensor]) -> float:
    return math.sqrt(sum(float(value.double().square().sum()) for value in gradients.values()))


@pytest.mark.parametrize(("kind", "settings", "shape"), FIXED)
def test_gradients_are_those_of_each_row_alone(kind: str, settings: dict[str, Any], shape: Shape) -> None:
    family, feed = family_of(kind, settings, shape), feed_of(shape)
    found = summed(family, feed.rows(np.arange(7)), bound=0.5)
    wanted = {name: torch.zeros_like(value) for name, value in family.named_parameters()}
    longest = int(feed.rows(np.arange(7)).ids.shape[1])  # type: ignore[union-attr]
    for row in range(7):
        batch = feed.rows(np.array([row]))
        assert batch.ids.shape[1] <= longest  # type: ignore[union-attr]
        family.zero_grad()
        _, loss, _ = next(family.losses(batch, CLOCK))
        loss.backward()
        own = {name: value.grad for name, value in family.named_parameters()}
        share = min(1.0, 0.5 / length(own))
        for name, value in own.items():
            wanted[name] += share * value
    for name, value in wanted.items():
        assert torch.allclose(found[name], value, atol=2e-6), name


@pytest.mark.parametrize(("kind", "settings", "shape"), ABLE)
def test_one_row_moves_the_sum_by_the_bound_at_most(kind: str, settings: dict[str, Any], shape: Shape) -> None:
    family, feed = family_of(kind, settings, shape), feed_of(shape)
    for bound in (0.05, 1e-3):
        assert 0.9 * bound < length(summed(family, feed.rows(np.array([1])), bound=bound)) < 1.0001 * bound
    assert length(summed(family, feed.rows(np.arange(6)), bound=0.05)) < 6.0001 * 0.05


def test_an_outlier_counts_for_no_more_than_any_other_row() -> None:
    numbers = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    numbers[2] *= 1e6
    numbers[3] = np.inf
    family = family_of("diffusion", {}, VECTOR)
    feed = feed_of(VECTOR, Encoded(numbers))
    assert length(summed(family, feed.rows(np.array([2])), bound=0.1)) < 0.10001
    assert length(summed(family, feed.rows(np.array([3])), bound=0.1)) == 0.0


def test_noise_has_its_size_and_is_there_where_no_row_came() -> None:
    family = family_of("autoregressive", {}, CELLS)
    made = mechanism(lambda _: None, multiplier=3.0, bound=0.5, expected_rows=4)
    gradients = PrivateGradients(family, mechanism=made, micro_rows=8)
    assert gradients.fill(0, CLOCK) == 0.0
    first = torch.cat([value.grad.flatten() for value in family.parameters()])
    assert float(first.std()) == pytest.approx(3.0 * 0.5 / 4, rel=0.05)
    gradients.fill(1, CLOCK)
    second = torch.cat([value.grad.flatten() for value in family.parameters()])
    assert abs(float(torch.corrcoef(torch.stack((first, second)))[0, 1])) < 0.05
    gradients.fill(0, CLOCK)
    assert torch.equal(first, torch.cat([value.grad.flatten() for value in family.parameters()]))


def test_units_come_by_themselves_and_bring_one_row() -> None:
    owners = np.array([7, 7, 7, 3, 3, 9, 9, 9, 9, 1])
    drawn = [PoissonRows(owners, rate=0.3, seed=2).take(step) for step in range(4000)]
    assert all(len(np.unique(owners[taken])) == len(taken) for taken in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=10)
    for unit in np.unique(owners):
        mine = counts[owners == unit]
        assert mine.sum() / 4000 == pytest.approx(0.3, abs=0.03)
        assert mine.min() / mine.sum() == pytest.approx(1 / len(mine), abs=0.05)
    sizes = np.array([len(taken) for taken in drawn])
    assert sizes.var() == pytest.approx(4 * 0.3 * 0.7, rel=0.1)
    assert np.array_equal(PoissonRows(owners, rate=0.3, seed=2).take(17), drawn[17])


def test_the_noise_for_an_epsilon_spends_it() -> None:
    from opacus.accountants import RDPAccountant

    asked = PrivacyConfig(epsilon=3.0)
    found = multiplier_for(asked, rate=0.01, num_steps=500)
    accountant = RDPAccountant()
    accountant.history = [(found, 0.01, 500)]
    assert 2.9 < accountant.get_epsilon(delta=1e-5) <= 3.0
    assert multiplier_for(PrivacyConfig(noise_multiplier=0.7), rate=0.01, num_steps=500) == 0.7


def job(kind: str, settings: dict[str, Any], shape: Shape) -> Job:
    feed = feed_of(shape)
    units = PoissonRows(np.arange(40) // 2, rate=0.4, seed=9)
    made = mechanism(units.drawing(feed.rows), multiplier=1.0)
    return Job(family_of(kind, settings, shape), feed, [], 8, 4, 1e-3, mechanism=made)


@pytest.mark.parametrize(
    ("kind", "settings", "shape"), [ABLE[3], ("vae", {"d_latent": 4}, SEQUENCES), ("diffusion", {}, SEQUENCES)]
)
def test_a_kill_changes_nothing(kind: str, settings: dict[str, Any], shape: Shape, tmp_path: Path) -> None:
    asked = config(budget={"steps": 6}, checkpoint_seconds=1e-9, privacy={"noise_multiplier": 0.8})
    whole = run(job(kind, settings, shape), tmp_path / "whole", settings=asked)
    assert whole.mechanism is not None and whole.mechanism.multiplier == 0.8
    assert all(row.train_loss is None for row in whole.log)
    calls: list[int] = []

    def die() -> bool:
        calls.append(1)
        if len(calls) > 4:
            raise Killed
        return False

    decisions: dict[str, Any] = {}
    with pytest.raises(Killed):
        run(job(kind, settings, shape), tmp_path / "torn", settings=asked, should_stop=die, decisions=decisions)
    again = run(job(kind, settings, shape), tmp_path / "torn", settings=asked, decisions=decisions)
    assert all(torch.equal(value, again.tensors[name]) for name, value in whole.tensors.items())
    before = family_of(kind, settings, shape).state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in whole.tensors.items())


def test_several_parts_are_refused() -> None:
    with pytest.raises(SpecError, match="one part"):
        PrivateGradients(family_of("gan", {}, VECTOR), mechanism=mechanism(None, multiplier=1.0), micro_rows=1)


@pytest.mark.parametrize(("kind", "settings", "shape"), [*FIXED, ("autoregressive", {}, CELLS)])
def test_plain_formulas_give_the_same_loss(kind: str, settings: dict[str, Any], shape: Shape) -> None:
    family, batch = family_of(kind, settings, shape), feed_of(shape).rows(np.arange(9))
    found = []
    for plain in (False, True):
        torch.manual_seed(4)
        family.zero_grad()
        if plain:
            with plain_formulas():
                _, loss, _ = next(family.losses(batch, CLOCK))
                loss.backward()
        else:
            _, loss, _ = next(family.losses(batch, CLOCK))
            loss.backward()
        found.append((loss.detach(), [value.grad.clone() for value in family.parameters()]))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-5)
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.parametrize("shape", [SEQUENCES, CELLS])
def test_masked_diffusion_is_the_same_everywhere_and_where_masked(shape: TokenShape) -> None:
    family, batch = family_of("diffusion", {}, shape), feed_of(shape).rows(np.arange(9))
    if shape is SEQUENCES:  # private training has the largest one alone
        family.windows.only_largest()
        family.windows.count = lambda mask: None
    losses = []
    for plain in (False, True):
        torch.manual_seed(4)
        if plain:
            with plain_formulas():
                losses.append(float(next(family.losses(batch, CLOCK))[1].detach()))
        else:
            losses.append(float(next(family.losses(batch, CLOCK))[1].detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_how_torch_takes_rows_is_no_warning_to_the_reader(recwarn: pytest.WarningsRecorder) -> None:
    torch.set_warn_always(True)
    try:
        summed(family_of("vae", {"d_latent": 4}, CELLS), feed_of(CELLS).rows(np.arange(2)), bound=0.5)
    finally:
        torch.set_warn_always(False)
    assert not [one for one in recwarn if "performance drop" in str(one.message)]
