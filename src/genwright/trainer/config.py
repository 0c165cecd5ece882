"""Settings of the trainer. Imports no torch."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from genwright.core import Config

UNITS_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
UNITS = ("time", "cpu_time", "steps", "tokens", "samples")


def parse_seconds(text: str, /) -> float:
    """Seconds of a duration such as "90s", "10m", "1.5h" or "1h30m".

    >>> parse_seconds("1h30m")
    5400.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smhd])\s*", "", text.strip()):
        raise ValueError(f"{text!r} is no duration; write numbers with s, m, h or d, such as '90s' or '1h30m'")
    return sum(float(number) * UNITS_SECONDS[unit] for number, unit in parts)


class BudgetConfig(Config):
    """How long to train: a time, or a number of steps, of tokens (of a text) or of samples; a minute if not said.

    `cpu_time` is a time that counts the processor's work on this process, all threads together: a busy machine
    makes training longer, not shorter. It counts nothing of what an accelerator does.
    """

    time: str | None = None
    cpu_time: str | None = None
    steps: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    samples: int | None = Field(default=None, ge=1)

    @field_validator("time", "cpu_time")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None and parse_seconds(value) <= 0:
            raise ValueError(f"a budget of {value!r} trains nothing; give at least '1s'")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in UNITS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"one budget is needed, got {' and '.join(given)}; keep one of them")
        return self

    @property
    def is_open(self) -> bool:
        """Whether nothing was said."""
        return all(getattr(self, name) is None for name in UNITS)

    @property
    def seconds(self) -> float | None:
        """The time budget, by the wall or by the processor; None where something else is the budget."""
        if self.is_open:
            return 60.0
        said = self.time or self.cpu_time
        return parse_seconds(said) if said else None


class OptimiserConfig(Config):
    """AdamW for everything, or Muon for the matrices between embedding and head and AdamW for the rest.

    `learning_rate` is AdamW's; Muon's update is scaled to the same size per entry, so one number serves both.
    None takes the net's default.
    """

    kind: Literal["muon", "adamw"] = "muon"
    learning_rate: float | None = Field(default=None, gt=0.0, le=1.0)
    embedding_rate: float = Field(default=1.0, gt=0.0, le=100.0)
    weight_decay: float = Field(default=0.1, ge=0.0, le=10.0)
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.95, ge=0.0, lt=1.0)
    momentum: float = Field(default=0.95, ge=0.0, lt=1.0)
    newton_schulz_steps: int = Field(default=5, ge=1, le=10)
    clip_norm: float = Field(default=1.0, gt=0.0)


class ScheduleConfig(Config):
    """The learning rate over the fraction of the budget: linear warm-up, level, linear decay to `final`."""

    warmup_fraction: float = Field(default=0.03, ge=0.0, lt=1.0)
    decay_fraction: float = Field(default=0.6, ge=0.0, le=1.0)
    final: float = Field(default=0.0, ge=0.0, le=1.0)

    def rate(self, fraction: float, /) -> float:
        """The multiplier of the learning rate at that fraction of the budget, in [0, 1].

        Source: trapezoid schedule, arXiv:2405.18392, section 3.
        """
        rise = 1.0 if fraction >= self.warmup_fraction else (fraction + 1e-3) / (self.warmup_fraction + 1e-3)
        if fraction <= 1.0 - self.decay_fraction:
            return min(1.0, rise)
        left = (1.0 - fraction) / self.decay_fraction
        return min(rise, self.final + (1.0 - self.final) * left)


class ValidationConfig(Config):
    """How often the validation split is looked at, how much of it, and what follows from it.

    `patience` counts looks without a better loss before training stops early; None never stops early.
    """

    times: int = Field(default=12, ge=0, le=10_000)
    max_tokens: int = Field(default=32_768, ge=1)
    max_samples: int = Field(default=2_048, ge=1)
    patience: int | None = Field(default=None, ge=1)
    keep: Literal["best", "last"] = "best"


class PrivacyConfig(Config):
    """Differential privacy of the train split: what is spent, or how much noise there is; one of the two.

    `epsilon` is what the whole training may spend at `delta`; `noise_multiplier` is the deviation of the noise over
    `max_grad_norm`, the bound on what a `unit` moves in one step. A unit is a group of rows (a person's), or a row.
    Random draws follow from a number that the ledger keeps to itself; `seed` puts another in its place, and whoever
    knows it can take the noise away.
    """

    epsilon: float | None = Field(default=None, gt=0.0)
    noise_multiplier: float | None = Field(default=None, gt=0.0)
    delta: float = Field(default=1e-5, gt=0.0, lt=1.0)
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    unit: Literal["group", "row"] = "group"
    seed: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("one of epsilon and noise_multiplier is needed, such as epsilon = 8.0")
        return self


class TrainerConfig(Config):
    """One loop for every family.

    A step takes `batch_tokens` tokens of a text, or `batch_samples` samples of what does not come as a stream.
    `micro_batch_tokens` bounds what is in memory at once; the rest of a batch is accumulated. `average` is the
    length of the exponential moving average as a fraction of the budget; 0 keeps none. `compile = "auto"` compiles
    where the budget is so long that it pays. `privacy` bounds what the weights can tell of any one unit of the train
    split.
    """

    budget: BudgetConfig = BudgetConfig()
    batch_tokens: int | None = Field(default=None, ge=1)
    batch_samples: int | None = Field(default=None, ge=1)
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    average: float = Field(default=0.02, ge=0.0, le=1.0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    fsdp: bool = False
    checkpoint_seconds: float = Field(default=30.0, gt=0.0)
    log_lines: int = Field(default=100, ge=1)
    runaway_factor: float = Field(default=3.0, gt=1.0)
    privacy: PrivacyConfig | None = None
