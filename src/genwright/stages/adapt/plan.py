"""From settings and samples to the numbers of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from genwright.stages.adapt.config import AdaptConfig
from genwright.trainer import BudgetConfig, TrainerConfig
from genwright.trainer.packed import Sequences

BATCH_SAMPLES = 16
# Assumption: activations of so many tokens, at 135 million parameters some 7 GiB, fit beside the weights.
MICRO_BATCH_TOKENS = 4096
# Of 1e-4, 3e-4, 1e-3 for adapters the middle one; every weight moves ten times slower (assumptions, not tuned here).
RATES = {"lora": 5e-4, "dora": 5e-4, "qlora": 5e-4, "full": 5e-5}


@dataclass(frozen=True)
class Plan:
    """Sequences in one step and in one backward pass, the learning rate, and the trainer's settings."""

    batch_rows: int
    micro_rows: int
    learning_rate: float
    trainer: TrainerConfig


def resolve(config: AdaptConfig, /, *, sequences: Sequences) -> Plan:
    """Every number of the run; blocks are not compiled, since packs differ in shape."""
    trainer = config.trainer
    rows = trainer.batch_samples or min(BATCH_SAMPLES, len(sequences))
    if config.epochs is not None:
        trainer = trainer.model_copy(
            update={"budget": BudgetConfig(samples=max(1, round(config.epochs * len(sequences))))}
        )
    longest = int(sequences.sizes.max())
    micro = max(1, (trainer.micro_batch_tokens or MICRO_BATCH_TOKENS) // longest)
    rate = trainer.optimiser.learning_rate or RATES[config.method]
    return Plan(rows, min(rows, micro), rate, trainer.model_copy(update={"compile": "off"}))
