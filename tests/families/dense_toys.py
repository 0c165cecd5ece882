"""Small data whose distribution is known, and the trainer's engine around a family for a few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch

from genwright.core.protocols import Batch, Grid, GridShape, Vector, VectorColumn, VectorShape
from genwright.trainer.config import TrainerConfig
from genwright.trainer.engine import Engine, EngineSettings

CLASSES = 2
TABLE = VectorShape((VectorColumn("number", "number"), VectorColumn("coin", "category", 2)))
PLANE = VectorShape((VectorColumn("x", "number"), VectorColumn("y", "number")))
GRID = GridShape(1, 8, 8, levels=256, cond_size=CLASSES)
Toy = Callable[..., Any]


def table_rows(count: int, *, seed: int) -> Vector:
    """A fair coin, and a number at -1 or 1 (by the coin) with deviation 0.1."""
    rng = torch.Generator().manual_seed(seed)
    coin = torch.randint(0, 2, (count,), generator=rng)
    number = 2.0 * coin - 1.0 + 0.1 * torch.randn(count, generator=rng)
    return Vector(torch.cat((number[:, None], torch.eye(2)[coin]), dim=1))


def plane(count: int, *, seed: int) -> Vector:
    """Two round clusters of deviation 0.2 at (-1, -0.5) and (1, 0.5), the right one twice as frequent."""
    rng = torch.Generator().manual_seed(seed)
    right = torch.rand(count, generator=rng) < 2.0 / 3.0
    centre = torch.where(right[:, None], torch.tensor([1.0, 0.5]), torch.tensor([-1.0, -0.5]))
    return Vector(centre + 0.2 * torch.randn(count, 2, generator=rng))


def bars(count: int, *, seed: int) -> Grid:
    """Bright bars on dark 8 x 8 images: horizontal ones are class 0, vertical ones class 1."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 2, (count,), generator=rng)
    place = torch.randint(0, 7, (count,), generator=rng)
    line = (torch.arange(8) == place[:, None]) | (torch.arange(8) == place[:, None] + 1)
    across, along = line[:, :, None].expand(-1, 8, 8), line[:, None].expand(-1, 8, 8)
    lit = torch.where((label == 0)[:, None, None], across, along)
    values = 1.6 * lit.float() - 0.8 + 0.05 * torch.randn(count, 8, 8, generator=rng)
    return Grid(values[:, None].clamp(-1, 1), torch.eye(CLASSES)[label])


class ToyFeed:
    """Fresh rows at every step."""

    row_units = 1
    unit: Literal["sample"] = "sample"

    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    def take(self, first: int, /, *, count: int) -> Batch:
        batch: Batch = self.toy(count, seed=first)
        return batch


def train(family: Any, toy: Toy, *, steps: int, rows: int = 128, rate: float | None = None) -> list[dict[str, float]]:
    """Trains in place and ends as the train stage does: averaged weights and `finish`; returns the logs."""
    settings = EngineSettings(
        config=TrainerConfig(),
        precision="float32",
        compiled=False,
        batch_rows=rows,
        micro_rows=rows,
        learning_rate=rate or family.config.learning_rate(),
        seed=0,
    )
    with torch.random.fork_rng():
        engine = Engine(family, feed=ToyFeed(toy), settings=settings)
        logs = [engine.step(index, num_steps=steps).logs for index in range(steps)]
        family.load_state_dict(engine.tensors())
        family.eval()
        if hasattr(family, "finish"):
            with torch.no_grad():
                family.finish(
                    iter([toy(1000, seed=10**6 + at) for at in range(2)]), rng=torch.Generator().manual_seed(0)
                )
    return logs
