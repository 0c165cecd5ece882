"""Decisions made once per run and kept: precision, compilation, and the number of steps a budget pays for."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genwright.core import SpecError
from genwright.core.protocols import Batch
from genwright.nets.precision import fast_precision
from genwright.trainer.config import BudgetConfig
from genwright.trainer.engine import Engine, EngineSettings, Feed

WARM_UP_STEPS = 2
LEAST_STEPS = 3
MOST_SECONDS = 6.0
SHARE_OF_BUDGET = 0.04
LOOKS_SHARE = 0.2
# What is left for checkpoints, logging and a machine that slows down.
RESERVE = 0.03
# Compiling costs about 30 s of CPU for 5 % speed (measured, 12 M parameters); on GPUs the gain is larger.
COMPILE_PAYS_SECONDS = {"cpu": 1200.0, "cuda": 300.0}


@dataclass(frozen=True)
class Cost:
    """Seconds of one step and of one look at the validation split."""

    step_seconds: float
    validation_seconds: float


def clock(budget: BudgetConfig, /) -> Callable[[], float]:
    """The clock that a budget counts by: the wall's, or that of the processor's work on this process."""
    return time.process_time if budget.cpu_time else time.perf_counter


def choose_precision(wanted: str, /, *, device: str, needs_float32: bool = False) -> str:
    """The precision asked for, or bfloat16 where the hardware multiplies it natively and the family bears it.

    Raises:
        SpecError: bfloat16 is asked for, and the family needs float32.
    """
    if needs_float32:
        if wanted == "bfloat16":
            raise SpecError(
                "this family is trained in float32, and train.trainer.precision asks for bfloat16",
                hint="leave precision out",
            )
        return "float32"
    if wanted != "auto":
        return wanted
    return fast_precision(device)


def compile_pays(wanted: str, /, *, device: str, seconds: float) -> bool:
    """Whether to compile: as asked, or where training takes so long that the gain outweighs compiling."""
    if wanted != "auto":
        return wanted == "on"
    return seconds >= COMPILE_PAYS_SECONDS["cuda" if device.startswith("cuda") else "cpu"]


def measure(family: Any, *, feed: Feed, settings: EngineSettings, validation: Sequence[Batch], seconds: float) -> Cost:
    """What a step and a validation cost, on a copy that is thrown away; takes about `seconds`.

    A family whose parts have windows is measured within each of them: its steps differ.
    """
    engine, now = Engine(copied(family), feed=feed, settings=settings), clock(settings.config.budget)
    edges = sorted({0.0, 1.0, *(edge for window in engine.windows.values() for edge in window)})
    step_seconds = 0.0
    for start, end in itertools.pairwise(edges):
        share = end - start
        step_seconds += share * _step_seconds(engine, now, fraction=(start + end) / 2, seconds=share * seconds)
    started = now()
    engine.validation_loss(validation)
    return Cost(step_seconds, now() - started)


def copied(family: Any, /) -> Any:
    """A deep copy with the marks on a family's parameters, which copying drops: they choose the optimisers."""
    out = copy.deepcopy(family)
    for own, new in zip(family.parameters(), out.parameters(), strict=True):
        vars(new).update(vars(own))
    return out


def _step_seconds(engine: Engine, now: Callable[[], float], *, fraction: float, seconds: float) -> float:
    for index in range(WARM_UP_STEPS):
        engine.step(index, num_steps=100, fraction=fraction)
    started = now()
    done = 0
    while done < LEAST_STEPS or now() - started < seconds:
        engine.step(WARM_UP_STEPS + done, num_steps=100, fraction=fraction)
        done += 1
    return (now() - started) / done


def looks_for(budget: BudgetConfig, /, *, cost: Cost, wanted: int) -> int:
    """How often validation is looked at: as often as wanted where that takes a fifth of a time budget, else less often.

    One look is always left, at the end.
    """
    assert budget.seconds is not None
    return (
        max(1, min(wanted, int(LOOKS_SHARE * budget.seconds / max(cost.validation_seconds, 1e-9)) - 1)) if wanted else 0
    )


def steps_for(budget: BudgetConfig, /, *, cost: Cost, spent_seconds: float, num_validations: int) -> int:
    """The steps that fit what is left of a time budget, or half of it where starting up took more than that."""
    assert budget.seconds is not None
    left = budget.seconds * (1.0 - RESERVE) - spent_seconds - (num_validations + 1) * cost.validation_seconds
    return max(1, int(max(left, budget.seconds / 2) / cost.step_seconds))


def steps_without_clock(budget: BudgetConfig, /, *, batch_units: int) -> int:
    """The steps of a step, token or sample budget (rounded up to whole batches)."""
    if budget.steps is not None:
        return budget.steps
    units = budget.tokens or budget.samples
    assert units is not None
    return -(-units // batch_units)


@dataclass(frozen=True)
class Calibration:
    """What a calibration works with; weights and generators stay untouched."""

    family: Any
    feed: Feed
    settings: EngineSettings
    validation: Sequence[Batch]
    device: str
    elapsed: Callable[[], float]
    say: Callable[[str], None]

    @property
    def _budget(self) -> BudgetConfig:
        return self.settings.config.budget

    def decide(self) -> dict[str, Any]:
        """The number of steps and of looks at the validation split, and whether to compile, as plain JSON."""
        wanted = "off" if self.settings.mechanism else self.settings.config.compile
        fixed = None if self._budget.seconds is not None else self._steps_without_clock()
        cost = None if fixed and wanted != "auto" else self._cost(compiled=False)
        seconds = self._seconds_ahead(fixed, cost)
        if compile_pays(wanted, device=self.device, seconds=seconds) and (compiled := self._try_compiled()):
            return self._plan(fixed, compiled) | {"compiled": True}
        return self._plan(fixed, cost or self._cost(compiled=False) if not fixed else None) | {"compiled": False}

    def _plan(self, fixed: int | None, cost: Cost | None) -> dict[str, Any]:
        wanted = self.settings.config.validation.times if self.validation else 0
        if fixed:
            return {"num_steps": fixed, "num_looks": wanted}
        assert cost is not None, "a time budget is measured first"
        looks = looks_for(self._budget, cost=cost, wanted=wanted)
        steps = steps_for(self._budget, cost=cost, spent_seconds=self.elapsed(), num_validations=looks)
        return {"num_steps": steps, "num_looks": looks}

    def _seconds_ahead(self, fixed: int | None, cost: Cost | None) -> float:
        if self._budget.seconds is not None:
            return self._budget.seconds - self.elapsed()
        return (fixed or 0) * (cost.step_seconds if cost else 0.0)

    def _try_compiled(self) -> Cost | None:
        try:
            return self._cost(compiled=True)
        except Exception as error:  # compilers fail in ways of their own; eager always works
            self.say(f"torch.compile failed ({type(error).__name__}: {error}); training goes on without it")
            return None

    def _cost(self, *, compiled: bool) -> Cost:
        seconds = min(MOST_SECONDS, SHARE_OF_BUDGET * (self._budget.seconds or 0.0))
        settings = replace(self.settings, compiled=compiled)
        return measure(self.family, feed=self.feed, settings=settings, validation=self.validation, seconds=seconds)

    def _steps_without_clock(self) -> int:
        return steps_without_clock(self._budget, batch_units=self.settings.batch_rows * self.feed.row_units)
