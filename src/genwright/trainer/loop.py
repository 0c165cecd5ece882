"""The training loop: one for every family, resumable at any moment, bitwise repeatable on a CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from genwright.core import Context, DivergenceError, Interrupted, SpecError
from genwright.core.protocols import Batch
from genwright.core.stage import Task
from genwright.trainer import distributed
from genwright.trainer.calibrate import Calibration, choose_precision, clock
from genwright.trainer.checkpoint import Saved, load_checkpoint, save_checkpoint
from genwright.trainer.config import TrainerConfig
from genwright.trainer.engine import Engine, EngineSettings, Feed, StepResult
from genwright.trainer.private import Mechanism, multiplier_for

CHECKPOINT_COST_SHARE = 0.02
SMOOTHING = 0.9


@dataclass(frozen=True)
class Job:
    """What is to be trained on what. `validation` batches are looked at in full each time.

    With a `mechanism` training is private, and its draws take the place of the feed's.
    """

    family: Any
    feed: Feed
    validation: Sequence[Batch]
    batch_rows: int
    micro_rows: int
    learning_rate: float
    mechanism: Mechanism | None = None


@dataclass
class LogRow:
    """One line of the training log; `units` counts tokens or samples, and losses are nats of one of them.

    `means` are those of everything that the family logged since the last line, by its name.
    `step_..._seconds` are the steps' own since the last line; the others count from the start, with validation,
    checkpoints and earlier sessions.
    """

    step: int
    units: int
    train_loss: float | None
    learning_rate: float
    gradient_norm: float
    step_wall_seconds: float
    step_cpu_seconds: float
    wall_seconds: float
    cpu_seconds: float
    validation_loss: float | None = None
    means: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The weights to keep (float32, by parameter name), where they come from, and the log.

    `mechanism` is what made every step private, where it was. `diverged` tells that training ended before its budget
    because it went wrong, and that the weights are those of the best look before.
    """

    tensors: Mapping[str, Tensor]
    num_steps: int
    kept_step: int
    precision: str
    compiled: bool
    log: Sequence[LogRow]
    mechanism: Mechanism | None = None
    diverged: bool = False


@dataclass
class _State:
    """Everything besides tensors that a checkpoint holds."""

    step: int = 0
    first_loss: float | None = None
    parts: list[str] = field(default_factory=list)
    parts_step: int = 0
    smooth_loss: float = 0.0
    since_log: list[float] = field(default_factory=list)
    sums: dict[str, list[float]] = field(default_factory=dict)  # total and count of each log since the last line
    step_wall_seconds: float = 0.0
    step_cpu_seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    stale: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)


def train(job: Job, *, config: TrainerConfig, context: Context) -> Outcome:
    """Trains until the budget is spent or validation stops improving, from the newest checkpoint where there is one.

    Raises:
        DivergenceError: the loss is not finite or has run away, and no look at the validation split came before it.
        Interrupted: the user stopped; a checkpoint is written.
        SpecError: the batch does not divide over the processes.
    """
    if job.batch_rows % distributed.world_size():
        raise SpecError(
            f"a batch of {job.batch_rows} rows does not divide over {distributed.world_size()} processes",
            hint="change train.trainer.batch_tokens or the number of processes",
        )
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        return _Run(job, config=config, context=context).run()


class _Run:
    """One session of a training run."""

    def __init__(self, job: Job, *, config: TrainerConfig, context: Context) -> None:
        self.job, self.config, self.context = job, config, context
        self.started, self.cpu_started = time.perf_counter(), time.process_time()
        self.state = _State()
        self.best: dict[str, Tensor] = {}
        self.diverged = False
        settings = self._settings()
        self.engine = Engine(job.family, feed=job.feed, settings=settings)
        self.batch_units = job.batch_rows * job.feed.row_units
        self.last_save, self.save_cost = time.perf_counter(), 0.0

    def _settings(self) -> EngineSettings:
        job, context, now = self.job, self.context, clock(self.config.budget)
        started = now()
        private = job.mechanism is not None
        needs_float32 = private or bool(getattr(job.family, "needs_float32", False))
        precision = distributed.decide(
            context,
            "precision",
            lambda: choose_precision(self.config.precision, device=context.device, needs_float32=needs_float32),
        )
        settings = EngineSettings(
            config=self.config,
            precision=precision,
            compiled=False,
            batch_rows=job.batch_rows,
            micro_rows=job.micro_rows,
            learning_rate=job.learning_rate,
            seed=context.seed_for("train"),
            mechanism=job.mechanism,
        )
        calibration = Calibration(
            family=job.family,
            feed=job.feed,
            settings=settings,
            validation=job.validation,
            device=context.device,
            elapsed=lambda: now() - started,
            say=context.progress.say,
        )
        plan = distributed.decide(context, "training plan", calibration.decide)
        self.num_steps, self.num_looks = int(plan["num_steps"]), int(plan["num_looks"])
        return replace(settings, compiled=bool(plan["compiled"]), mechanism=self._with_noise(job.mechanism))

    def _with_noise(self, mechanism: Mechanism | None) -> Mechanism | None:
        """The mechanism with the noise that the number of steps asks for."""
        asked = self.config.privacy
        if mechanism is None or asked is None:
            return None

        def find() -> float:
            return multiplier_for(asked, rate=mechanism.rate, num_steps=self.num_steps)

        return replace(mechanism, multiplier=float(self.context.decide("noise multiplier", find)))

    def run(self) -> Outcome:
        self._restore()
        title = f"train, {self.num_steps:,} steps"
        with self.context.progress.task(title, total=self.num_steps) as task:
            task.advance(self.state.step)
            while self.state.step < self.num_steps and not (self._out_of_patience() or self.diverged):
                self._obey()
                self._advance(task)
        return self._outcome()

    def _out_of_patience(self) -> bool:
        patience = self.config.validation.patience
        return patience is not None and self.state.stale >= patience

    def _obey(self) -> None:
        """Stops or saves where rank 0 finds that it is time; all processes do so at the same step."""
        stop, save = distributed.broadcast_object((self.context.should_stop(), self._save_is_due()))
        if stop or save:
            self._save()
        if stop:
            raise Interrupted(
                f"stopped at step {self.state.step:,} of {self.num_steps:,}; the checkpoint is written",
                hint="run again to go on from here",
            )

    def _advance(self, task: Task) -> None:
        job, index = self.job, self.state.step
        began, cpu_began = time.perf_counter(), time.process_time()
        result = self.engine.step(index, num_steps=self.num_steps)
        loss = next(iter(result.logs.values()))
        if (error := self._divergence(loss, result)) is not None:
            if not self.best or self.state.best_step < self.state.parts_step:
                raise error
            self.diverged = True
            self.context.progress.say(f"{error.message}; the weights of step {self.state.best_step:,} are kept")
            return
        self.state.step += 1
        self.state.since_log.append(loss)
        for name, value in result.logs.items():
            total, count = self.state.sums.get(name, (0.0, 0))
            self.state.sums[name] = [total + value, count + 1]
        seconds = time.perf_counter() - began
        self.state.step_wall_seconds += seconds
        self.state.step_cpu_seconds += time.process_time() - cpu_began
        task.advance(1, note=f"loss {self.state.smooth_loss:.3f}, {self.batch_units / seconds:,.0f} {job.feed.unit}s/s")
        self._log_if_due(result)

    def _divergence(self, loss: float, result: StepResult) -> DivergenceError | None:
        """The error of a step that went wrong; None where it did not."""
        state = self.state
        if state.first_loss is None or state.parts != result.parts:  # another part's loss is another number
            state.first_loss = state.smooth_loss = loss
            state.parts, state.parts_step = result.parts, state.step
        state.smooth_loss = SMOOTHING * state.smooth_loss + (1.0 - SMOOTHING) * loss
        runaway = state.smooth_loss > self.config.runaway_factor * max(state.first_loss, 1e-3)
        # A private run is not stopped by its losses: that would tell of the rows that they are of.
        runaway = runaway and state.step - state.parts_step > 10 and self.job.mechanism is None
        strange = next((name for name, value in result.logs.items() if not math.isfinite(value)), None)
        if strange is None and math.isfinite(result.gradient_norm) and not runaway:
            return None
        rate = self.job.learning_rate * self.config.schedule.rate(state.step / self.num_steps)
        return DivergenceError(
            f"training diverged at step {state.step:,}: "
            f"{f'{strange} is no number, ' if strange else ''}loss {loss:.4g} (it began at {state.first_loss:.4g}), "
            f"gradient norm {result.gradient_norm:.4g}, learning rate {rate:.3g}",
            hint="try half the learning rate (train.trainer.optimiser.learning_rate), a longer warm-up, "
            "or precision = 'float32'; look at the data for broken documents",
        )

    # --- log and validation --------------------------------------------------------------------------------------

    def _log_if_due(self, result: StepResult) -> None:
        state, step = self.state, self.state.step
        every = max(1, self.num_steps // self.config.log_lines)
        look = bool(self.job.validation) and self._is_due(step, self.num_looks)
        if not (look or step % every == 0 or step == self.num_steps):
            return
        wall, cpu = self._clock()
        row = LogRow(
            step=step,
            units=step * self.batch_units,
            # A loss on the train split is no private number.
            train_loss=None if self.job.mechanism else sum(state.since_log) / len(state.since_log),
            learning_rate=self.job.learning_rate * self.config.schedule.rate((step - 1) / self.num_steps),
            gradient_norm=result.gradient_norm,
            step_wall_seconds=state.step_wall_seconds,
            step_cpu_seconds=state.step_cpu_seconds,
            wall_seconds=wall,
            cpu_seconds=cpu,
            validation_loss=self._look() if look else None,
            # Neither are other figures of its batches.
            means={} if self.job.mechanism else {name: total / n for name, (total, n) in state.sums.items()},
        )
        state.since_log, state.sums = [], {}
        state.step_wall_seconds = state.step_cpu_seconds = 0.0
        state.log.append(asdict(row))
        if distributed.is_main():
            said = asdict(row) | row.means
            self.context.log(step, {n: value for n, value in said.items() if value is not None and n != "means"})

    def _is_due(self, step: int, times: int) -> bool:
        """Whether one of `times` evenly spaced looks falls on this step; the last step always is one."""
        return bool(times) and (step * times // self.num_steps > (step - 1) * times // self.num_steps)

    def _look(self) -> float | None:
        loss = self.engine.validation_loss(self.job.validation)
        if loss is None:
            return None
        if loss < self.state.best_loss:
            self.state.best_loss, self.state.best_step, self.state.stale = loss, self.state.step, 0
            if self.config.validation.keep == "best":
                self.best = self.engine.tensors()
        else:
            self.state.stale += 1
        return loss

    def _clock(self) -> tuple[float, float]:
        """Wall and CPU seconds so far, sessions before a stop included."""
        wall = self.state.wall_seconds + time.perf_counter() - self.started
        return wall, self.state.cpu_seconds + time.process_time() - self.cpu_started

    # --- checkpoints ---------------------------------------------------------------------------------------------

    def _save_is_due(self) -> bool:
        waited = time.perf_counter() - self.last_save
        return self.state.step > 0 and waited >= max(
            self.config.checkpoint_seconds, self.save_cost / CHECKPOINT_COST_SHARE
        )

    def _save(self) -> None:
        began = time.perf_counter()
        wall, cpu = self._clock()
        state = asdict(replace(self.state, wall_seconds=wall, cpu_seconds=cpu))
        state["best_loss"] = None if math.isinf(self.state.best_loss) else self.state.best_loss
        tensors = self.engine.state() | {f"best/{name}": value for name, value in self.best.items()}
        saved = Saved(tensors, {"num_steps": self.num_steps, "progress": state})
        if distributed.is_main():
            save_checkpoint(self.context.checkpoints, step=self.state.step, saved=saved)
        self.last_save = time.perf_counter()
        self.save_cost = self.last_save - began

    def _restore(self) -> None:
        saved = self._find() if distributed.is_main() else None
        described = distributed.broadcast_object(saved and dict(saved.state))
        if described is None:
            return
        tensors = self._share(saved)
        progress = dict(described["progress"])
        progress["best_loss"] = math.inf if progress["best_loss"] is None else progress["best_loss"]
        self.state = _State(**progress)
        self.best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
        self.engine.restore(tensors)
        self.context.progress.say(f"going on from step {self.state.step:,} of {self.num_steps:,}")

    def _find(self) -> Saved | None:
        saved = load_checkpoint(self.context.checkpoints, say=self.context.progress.say)
        if saved is not None and saved.state["num_steps"] != self.num_steps:
            self.context.progress.say("the checkpoint belongs to another budget; starting over")
            return None
        return saved

    def _share(self, saved: Saved | None) -> dict[str, Tensor]:
        """Rank 0's tensors on every rank."""
        if distributed.world_size() == 1:
            assert saved is not None
            return dict(saved.tensors)
        described = saved and {name: (tuple(value.shape), value.dtype) for name, value in saved.tensors.items()}
        layout = distributed.broadcast_object(described)
        tensors = dict(saved.tensors) if saved else {n: torch.empty(s, dtype=d) for n, (s, d) in layout.items()}
        distributed.broadcast_tensors([tensors[name] for name in layout])
        return tensors

    def _outcome(self) -> Outcome:
        settings = self.engine.settings
        kept = self.best or self.engine.tensors()
        return Outcome(
            tensors=kept,
            num_steps=self.state.step,
            kept_step=self.state.best_step if self.best else self.state.step,
            precision=settings.precision,
            compiled=settings.compiled,
            log=[LogRow(**row) for row in self.state.log],
            mechanism=settings.mechanism,
            diverged=self.diverged,
        )
