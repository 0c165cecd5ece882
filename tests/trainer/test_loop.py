"""The loop: it learns, repeats and resumes bit by bit, divides batches, drives two parts, and stops with reason."""

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genwright.core import DivergenceError, Interrupted, SpecError
from genwright.core.protocols import Clock, Tokens
from genwright.families.autoregressive import Autoregressive
from genwright.measure import derive
from genwright.trainer.calibrate import Cost, copied, looks_for
from genwright.trainer.config import BudgetConfig
from genwright.trainer.engine import Engine
from genwright.trainer.log import claims, log_columns, sign_claims
from genwright.trainer.loop import Outcome

from .fakes import TwoParts, config, make_family, make_job, run


def same(first: Outcome, second: Outcome) -> bool:
    curves = [[(row.step, row.train_loss, row.validation_loss) for row in outcome.log] for outcome in (first, second)]
    tensors = all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())
    return tensors and first.tensors.keys() == second.tensors.keys() and curves[0] == curves[1]


def test_it_learns(tmp_path: Path) -> None:
    outcome = run(make_job(), tmp_path, settings=config(budget={"steps": 60}, precision="float32"))
    assert outcome.log[0].train_loss > 2.5
    assert outcome.log[-1].train_loss < 1.5
    assert outcome.log[-1].units == 60 * 32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_repeat_is_bitwise(tmp_path: Path, precision: str) -> None:
    settings = config(precision=precision)
    first = run(make_job(make_family(dropout=0.2)), tmp_path / "a", settings=settings)
    torch.manual_seed(99)
    torch.rand(7)
    assert same(first, run(make_job(make_family(dropout=0.2)), tmp_path / "b", settings=settings))


class Killed(BaseException):
    """Stands for a kill: nothing is saved after it."""


@pytest.mark.parametrize("lstm", [False, True])
@pytest.mark.parametrize("dies_at", [1, 5, 11])
def test_resume_equals_never_stopped(tmp_path: Path, dies_at: int, lstm: bool) -> None:
    settings = config(precision="bfloat16", checkpoint_seconds=1e-9)
    family = make_family(dropout=0.2, lstm=lstm)
    whole = run(make_job(make_family(dropout=0.2, lstm=lstm)), tmp_path / "whole", settings=settings)
    calls = []

    def die() -> bool:
        calls.append(1)
        if len(calls) > dies_at:
            raise Killed
        return False

    decisions: dict[str, Any] = {}
    with pytest.raises(Killed):
        run(make_job(family), tmp_path / "torn", settings=settings, should_stop=die, decisions=decisions)
    fresh = make_job(make_family(dropout=0.2, lstm=lstm))
    assert same(whole, run(fresh, tmp_path / "torn", settings=settings, decisions=decisions))


def test_ctrl_c_saves_and_says_so(tmp_path: Path) -> None:
    settings = config()
    calls = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) == 5

    with pytest.raises(Interrupted, match="step 4 of 12"):
        run(make_job(), tmp_path, settings=settings, should_stop=stop)
    assert (tmp_path / "checkpoints" / "step-4").is_dir()
    assert same(run(make_job(), tmp_path / "whole", settings=settings), run(make_job(), tmp_path, settings=settings))


def test_a_calibration_measures_the_optimisers_of_the_training() -> None:
    """An LSTM's gates go to AdamW by a mark on them; the copy that was timed once moved them by Muon, twice as slow."""
    family = make_family(lstm=True)
    marked = [getattr(parameter, "is_embedding", False) for parameter in family.parameters()]
    assert all(marked)
    assert [getattr(parameter, "is_embedding", False) for parameter in copied(family).parameters()] == marked
    assert all(new is not own for new, own in zip(copied(family).parameters(), family.parameters(), strict=True))


def test_micro_batches_add_up_to_the_batch(tmp_path: Path) -> None:
    settings = config(precision="float32", optimiser={"kind": "adamw"})
    whole = run(make_job(micro_rows=4), tmp_path / "a", settings=settings)
    parts = run(make_job(micro_rows=1), tmp_path / "b", settings=settings)
    for name, value in whole.tensors.items():
        torch.testing.assert_close(value, parts.tensors[name], rtol=1e-3, atol=1e-4)


def test_two_parts_step_in_turn(tmp_path: Path) -> None:
    family = TwoParts()
    outcome = run(make_job(family, micro_rows=2), tmp_path, settings=config(budget={"steps": 3}))
    assert family.order == ["critic", "critic", "maker", "maker"] * 3
    assert set(outcome.tensors) == {"maker.weight", "maker.bias", "critic.weight", "critic.bias"}
    assert outcome.log[-1].validation_loss is None


def test_best_weights_are_kept(tmp_path: Path) -> None:
    job = make_job(learning_rate=0.05)
    settings = config(budget={"steps": 60}, validation={"times": 12}, precision="float32")
    outcome = run(job, tmp_path, settings=settings)
    looks = {row.step: row.validation_loss for row in outcome.log if row.validation_loss is not None}
    assert len(looks) == 12
    assert outcome.kept_step == min(looks, key=lambda step: looks[step] or 0.0)
    last = run(make_job(), tmp_path / "last", settings=config(validation={"times": 3, "keep": "last"}))
    assert last.kept_step == 12


class Spoiled(Autoregressive):
    """Turns to nonsense at a step."""

    value = float("nan")
    at = 7

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        for part, loss, logs in super().losses(batch, clock):
            factor = self.value if clock.step >= self.at else 1.0
            yield part, loss * factor, {name: log * factor for name, log in logs.items()}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e4])
def test_divergence_is_named(tmp_path: Path, value: float) -> None:
    family = make_family()
    family.__class__ = Spoiled
    family.value = value
    with pytest.raises(DivergenceError, match=r"diverged at step .*learning rate") as error:
        run(make_job(family), tmp_path, settings=config(budget={"steps": 20}, validation={"times": 1}))
    assert "half the learning rate" in str(error.value.hint)


def test_what_was_looked_at_before_a_divergence_is_kept_and_the_divergence_is_claimed(tmp_path: Path) -> None:
    family, settings = make_family(), config(budget={"steps": 20}, validation={"times": 10})
    family.__class__ = Spoiled
    broken = run(make_job(family), tmp_path / "a", settings=settings)
    assert broken.diverged and broken.num_steps == Spoiled.at and broken.kept_step in (2, 4, 6)
    assert all(bool(value.isfinite().all()) for value in broken.tensors.values())
    whole = run(make_job(), tmp_path / "b", settings=settings)
    for outcome, expected in ((broken, 1.0), (whole, 0.0)):
        (draft,) = (one for one in claims(validated=True, unit="token") if one.metric == "training_diverged")
        assert derive(log_columns(outcome, num_parameters=1), derivation=draft.derivation).value == expected


def test_patience_stops_early(tmp_path: Path) -> None:
    settings = config(
        budget={"steps": 400}, validation={"times": 100, "patience": 2}, schedule={"decay_fraction": 0.0}, average=0.0
    )
    outcome = run(make_job(learning_rate=0.3), tmp_path, settings=settings)
    assert outcome.num_steps < 400


def test_a_time_budget_becomes_steps_once(tmp_path: Path) -> None:
    decisions: dict[str, Any] = {}
    settings = config(budget={"time": "1s"})
    outcome = run(make_job(), tmp_path, settings=settings, decisions=decisions)
    assert outcome.num_steps == decisions["training plan"]["num_steps"] > 1
    again = run(make_job(), tmp_path / "again", settings=settings, decisions=decisions)
    assert same(outcome, again)


def test_a_budget_of_processor_time_does_not_count_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Engine.step

    def slowed(self: Engine, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Engine, "step", slowed)
    settings = {"validation": {"times": 0}}
    by_wall = run(make_job(), tmp_path / "wall", settings=config(budget={"time": "2s"}, **settings), decisions={})
    assert by_wall.num_steps < 40
    processor = config(budget={"cpu_time": "1s"}, **settings)
    planned: dict[str, Any] = {}
    with pytest.raises(Interrupted):
        run(make_job(), tmp_path / "cpu", settings=processor, decisions=planned, should_stop=lambda: True)
    assert planned["training plan"]["num_steps"] > 40


def test_looks_take_a_fifth_of_a_time_budget_at_most() -> None:
    budget = BudgetConfig(time="100s")
    assert looks_for(budget, cost=Cost(0.1, 0.5), wanted=12) == 12
    assert looks_for(budget, cost=Cost(0.1, 4.0), wanted=12) == 4
    assert looks_for(budget, cost=Cost(0.1, 60.0), wanted=12) == 1
    assert looks_for(budget, cost=Cost(0.1, 0.5), wanted=0) == 0


def test_calibration_leaves_no_trace(tmp_path: Path) -> None:
    timed = run(make_job(), tmp_path / "a", settings=config(budget={"time": "1s"}), decisions={})
    steps = run(make_job(), tmp_path / "b", settings=config(budget={"steps": timed.num_steps}))
    assert same(timed, steps)


def test_tokens_round_up_to_steps(tmp_path: Path) -> None:
    assert run(make_job(), tmp_path, settings=config(budget={"tokens": 33})).num_steps == 2


def test_a_failing_compiler_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(Autoregressive, "compile_blocks", fail)
    outcome = run(make_job(), tmp_path, settings=config(compile="on"))
    assert not outcome.compiled


def test_experts_train(tmp_path: Path) -> None:
    outcome = run(make_job(make_family(num_experts=3)), tmp_path, settings=config(precision="float32"))
    assert outcome.log[-1].train_loss < outcome.log[0].train_loss


def test_a_batch_must_divide_over_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(SpecError, match="3 processes"):
        run(replace(make_job(), batch_rows=4), tmp_path, settings=config())


def test_everything_that_is_logged_is_kept_and_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(replace(make_job(), family=TwoParts()), tmp_path / "a", settings=config(precision="float32"))
    assert all(row.means.keys() == {"loss", "maker_loss"} for row in outcome.log)
    assert outcome.log[0].means["loss"] == pytest.approx(outcome.log[0].train_loss)
    columns = log_columns(outcome, num_parameters=4)
    assert columns["maker_loss"] == [row.means["maker_loss"] for row in outcome.log]
    assert sum(map(bool, columns["late maker_loss"])) == min(5, len(outcome.log))
    (draft,) = sign_claims(outcome, {"maker_loss": ("loss_of_the_maker", "1"), "spread": ("never_logged", "1")})
    found = derive(columns, derivation=draft.derivation).value
    assert found == pytest.approx(sum(columns["maker_loss"][-5:]) / min(5, len(outcome.log)))

    losses = TwoParts.losses

    def broken(self: TwoParts, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]]]:
        for part, loss, logs in losses(self, batch, clock):
            yield part, loss, {name: value * (float("nan") if part == "maker" else 1) for name, value in logs.items()}

    monkeypatch.setattr(TwoParts, "losses", broken)
    with pytest.raises(DivergenceError, match="maker_loss is no number"):
        run(replace(make_job(), family=TwoParts()), tmp_path / "b", settings=config(precision="float32"))


def test_another_budget_starts_over(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        stop = iter([False] * 3 + [True]).__next__
        run(make_job(), tmp_path, settings=config(checkpoint_seconds=1e-9), should_stop=stop)
    outcome = run(make_job(), tmp_path, settings=config(budget={"steps": 5}))
    assert same(outcome, run(make_job(), tmp_path / "clean", settings=config(budget={"steps": 5})))
