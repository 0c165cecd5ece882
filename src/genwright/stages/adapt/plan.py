"""From settings and samples to the numbers of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from genwright.stages.adapt.config import AdaptConfig
from genwright.stages.adapt.material import Material
from genwright.trainer import BudgetConfig, TrainerConfig

BATCH_SAMPLES = {"sft": 16, "distil": 16, "dpo": 8, "kto": 8, "orpo": 8, "grpo": 4}
# Assumption: activations of so many tokens, at 135 million parameters some 7 GiB, fit beside the weights.
MICRO_BATCH_TOKENS = 4096
# For adapters; every weight moves ten times slower. Assumptions, not tuned here.
RATES = {"sft": 5e-4, "distil": 5e-4, "dpo": 5e-5, "kto": 5e-5, "orpo": 5e-5, "grpo": 5e-5}
FULL = 0.1


@dataclass(frozen=True)
class Plan:
    """Sequences in one step and in one backward pass, the learning rate, and the trainer's settings."""

    batch_rows: int
    micro_rows: int
    learning_rate: float
    trainer: TrainerConfig


def resolve(config: AdaptConfig, /, *, material: Material) -> Plan:
    """Every number of the run; blocks are not compiled, since packs differ in shape."""
    trainer, kind, size = config.trainer, config.objective.kind, len(material.feed)
    rows = trainer.batch_samples or min(BATCH_SAMPLES[kind], size)
    if config.epochs is not None:
        budget = BudgetConfig(samples=max(1, round(config.epochs * size)))
        trainer = trainer.model_copy(update={"budget": budget})
    micro = max(1, (trainer.micro_batch_tokens or MICRO_BATCH_TOKENS) // material.row_tokens)
    rate = trainer.optimiser.learning_rate or RATES[kind] * (FULL if config.method == "full" else 1.0)
    return Plan(rows, min(rows, micro), rate, trainer.model_copy(update={"compile": "off"}))
