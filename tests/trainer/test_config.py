"""Budgets and schedules, without torch."""

from itertools import pairwise

import pytest

from genwright.core import SpecError
from genwright.trainer import BudgetConfig, ScheduleConfig, TrainerConfig
from genwright.trainer.config import parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0), ("1h30m", 5400.0), ("2 d", 172800.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "ten minutes", "5m later", "-5s", "0s"])
def test_wrong_durations_say_what_is_allowed(text: str) -> None:
    with pytest.raises(SpecError, match=r"train\.budget"):
        BudgetConfig.parse({"time": text}, where="train.budget")


def test_one_budget_only() -> None:
    with pytest.raises(SpecError, match="time and steps"):
        BudgetConfig.parse({"time": "1m", "steps": 5}, where="budget")
    assert BudgetConfig().seconds == 60.0
    assert BudgetConfig(steps=3).seconds is None
    assert BudgetConfig(cpu_time="2m").seconds == 120.0
    with pytest.raises(SpecError, match="time and cpu_time"):
        BudgetConfig.parse({"time": "1m", "cpu_time": "1m"}, where="budget")


def test_schedule_rises_holds_and_falls() -> None:
    schedule = ScheduleConfig(warmup_fraction=0.1, decay_fraction=0.5, final=0.1)
    rates = [schedule.rate(k / 100) for k in range(101)]
    assert 0 < rates[0] < 0.02
    assert rates[5] == pytest.approx(0.5, abs=0.02)
    assert rates[10] == rates[49] == 1.0
    assert rates[75] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert max(abs(b - a) for a, b in pairwise(rates)) < 0.11


def test_unknown_keys_get_a_suggestion() -> None:
    with pytest.raises(SpecError, match="did you mean 'precision'"):
        TrainerConfig.parse({"precison": "float32"}, where="train.trainer")
