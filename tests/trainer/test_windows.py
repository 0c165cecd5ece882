"""Families of several parts in the loop: float32 where needed, a loss for each window, resuming in any."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genwright.core import DivergenceError, SpecError
from genwright.core.protocols import Bound, Clock, Tokens
from genwright.families.gan_config import GanConfig
from genwright.families.latent_config import LatentConfig
from genwright.families.store import build_family
from genwright.families.vae_config import VaeConfig
from genwright.trainer.loop import Job, Outcome

from ..families.dense_toys import TABLE, ToyFeed, table_rows
from .fakes import config, make_job, run


class TwoWindows(nn.Module):
    """Two parts after one another; the second one's loss is a hundred times the first one's."""

    needs_float32 = True

    def __init__(self, *, spoil: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.spoil = nn.Linear(1, 1), nn.Linear(1, 1), spoil

    def parts(self) -> Mapping[str, list[nn.Parameter]]:
        return {"first": list(self.first.parameters()), "second": list(self.second.parameters())}

    def window(self, part: str) -> tuple[float, float]:
        return (0.0, 0.5) if part == "first" else (0.5, 1.0)

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        assert self.first.weight.dtype == torch.float32
        part, size = ("first", 1.0) if clock.fraction < 0.5 else ("second", 100.0)
        if self.spoil and clock.fraction > 0.7:
            size = 1e4
        x = batch.ids[:, :1].float()
        loss = size * (1.0 + 0.01 * (self.first(x) + self.second(x)).square().mean())
        yield part, loss, {"loss": loss.detach()}

    def log_prob(self, batch: Tokens) -> Bound:
        return Bound(None, "none")


def test_another_window_is_no_divergence(tmp_path: Path) -> None:
    outcome = run(make_job(TwoWindows()), tmp_path, settings=config(budget={"steps": 40}))
    assert outcome.precision == "float32"
    assert outcome.num_steps == 40


def test_divergence_within_a_later_window_is_named(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match=r"it began at 1\d\d"):
        run(make_job(TwoWindows(spoil=True)), tmp_path, settings=config(budget={"steps": 100}))


def test_float32_is_not_traded_away(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="asks for bfloat16"):
        run(make_job(TwoWindows()), tmp_path, settings=config(precision="bfloat16"))


class Killed(BaseException):
    """Stands for a kill: nothing is saved after it."""


def two_stage() -> Job:
    small = LatentConfig(autoencoder=VaeConfig(width=8, num_layers=1, d_latent=2), prior=GanConfig(width=8))
    family = build_family(small.resolve(depth=1, shape=TABLE), shape=TABLE, seed=1)
    validation = [table_rows(8, seed=10**6)]
    return Job(
        family=family, feed=ToyFeed(table_rows), validation=validation, batch_rows=16, micro_rows=8, learning_rate=0.002
    )


@pytest.mark.parametrize("dies_at", [3, 6, 9])
def test_a_two_stage_family_resumes_in_either_window(tmp_path: Path, dies_at: int) -> None:
    settings = config(checkpoint_seconds=1e-9)
    whole = run(two_stage(), tmp_path / "whole", settings=settings)
    calls: list[int] = []

    def die() -> bool:
        calls.append(1)
        if len(calls) > dies_at:
            raise Killed
        return False

    decisions: dict[str, Any] = {}
    with pytest.raises(Killed):
        run(two_stage(), tmp_path / "part", settings=settings, decisions=decisions, should_stop=die)
    resumed: Outcome = run(two_stage(), tmp_path / "part", settings=settings, decisions=decisions)
    assert all(torch.equal(value, resumed.tensors[name]) for name, value in whole.tensors.items())
    assert [row.train_loss for row in resumed.log] == [row.train_loss for row in whole.log]
