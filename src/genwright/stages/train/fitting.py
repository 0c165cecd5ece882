"""Families without a training loop: one pass of their own, logged as one line."""

import time
from typing import Any

import torch

from genwright.core import Context
from genwright.stages.train.streamed import Material
from genwright.trainer.loop import LogRow, Outcome


def fit_in_one_pass(family: Any, *, material: Material, context: Context) -> Outcome:
    """What the family makes of the train split, and its loss on the validation split where it has a likelihood."""
    wall, cpu = time.perf_counter(), time.process_time()
    units = 0

    def counted() -> Any:
        nonlocal units
        for batch in material.all_batches():
            units += len(batch) * material.feed.row_units
            yield batch

    with context.progress.task(f"fit {family.config.kind}", total=None):
        family.fit(counted(), rng=torch.Generator().manual_seed(context.seed_for("train")))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row = LogRow(
        step=1,
        units=units,
        train_loss=None,
        learning_rate=0.0,
        gradient_norm=0.0,
        step_wall_seconds=wall,
        step_cpu_seconds=cpu,
        wall_seconds=wall,
        cpu_seconds=cpu,
        validation_loss=_validation_loss(family, material),
    )
    return Outcome(family.state(), num_steps=1, kept_step=1, precision="float64", compiled=False, log=[row])


def _validation_loss(family: Any, material: Material) -> float | None:
    nats, count = 0.0, 0
    for batch in material.validation:
        bound = family.log_prob(batch)
        if bound.value is None:
            return None
        nats -= float(bound.value.double().sum())
        count += len(batch) * material.feed.row_units
    return nats / count if count else None
