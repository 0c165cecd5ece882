"""Training speed of each family: this project's loop beside one written by hand for the same model.

Both have the same net, the same rows, the same AdamW with the same schedule, clipping and moving average, in float32.
They alternate in one process, the order turning each round; the first steps of each are left out. The figures
are samples per CPU-second. Run: python bench/family_speed.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import report
from genwright.core import Context, component
from genwright.core.protocols import Clock, Encoded, GridShape, Shape, TokenShape, VectorColumn, VectorShape
from genwright.families.store import build_family
from genwright.trainer import ScheduleConfig, TrainerConfig
from genwright.trainer.loop import Job, train
from genwright.trainer.rows import RowFeed
from train_speed import Meter, Ticking

LEFT_OUT = 3
NUM_ROWS = 4096
AVERAGE = 0.02
# 40 cells of a table, a picture, a sequence: sizes of this project's recipes.
CELLS = TokenShape(962, 960, 961, 39, cells=tuple((24 * place, 24) for place in range(40)))
VECTOR = VectorShape(
    tuple(VectorColumn(f"c{n}", "number") for n in range(16))
    + tuple(VectorColumn(f"d{n}", "category", 6) for n in range(12))
)
GRID = GridShape(1, 28, 28)
SEQUENCES = TokenShape(128, 126, 127, 40)


@dataclass(frozen=True)
class Case:
    """A family over a shape, at the size that a depth gives it."""

    name: str
    family: str
    shape: Shape
    rows: int
    settings: Mapping[str, Any]
    depth: int = 4


NET = {"net": {"kind": "transformer", "d_model": 128, "num_layers": 3, "num_heads": 4}}
CASES = (
    Case("autoregressive, any order, table", "autoregressive", CELLS, 128, {}),
    Case("autoregressive, sequences", "autoregressive", SEQUENCES, 64, NET),
    Case("vae, table", "vae", CELLS, 128, {}, 2),
    Case("vae, vector", "vae", VECTOR, 128, {}),
    Case("vae, images", "vae", GRID, 64, {}, 2),
    Case("gan, vector", "gan", VECTOR, 128, {}),
    Case("gan, images", "gan", GRID, 64, {}, 2),
    Case("diffusion, table", "diffusion", CELLS, 128, {}, 2),
    Case("diffusion, vector", "diffusion", VECTOR, 128, {}),
    Case("diffusion, images", "diffusion", GRID, 64, {}, 2),
    Case("latent, images", "latent", GRID, 64, {"prior": "diffusion"}, 2),
)


def rows_of(shape: Shape) -> Encoded:
    """Random rows: speed does not depend on what they say."""
    rng = np.random.default_rng(0)
    if isinstance(shape, VectorShape):
        numbers = rng.normal(size=(NUM_ROWS, 16))
        hot = np.eye(6)[rng.integers(6, size=(NUM_ROWS, 12))].reshape(NUM_ROWS, -1)
        return Encoded(np.concatenate((numbers, hot), axis=1).astype(np.float32))
    if isinstance(shape, GridShape):
        return Encoded(rng.integers(0, 256, (NUM_ROWS, 1, 28, 28)).astype(np.uint8))
    if shape.cells:
        firsts = np.array([first for first, _ in shape.cells])
        return Encoded(firsts + rng.integers(0, 24, (NUM_ROWS, len(firsts))))
    return Encoded(rng.integers(0, 126, (NUM_ROWS, 40)), lengths=np.full(NUM_ROWS, 40))


def build(case: Case) -> Any:
    """The family with fresh weights, and its learning rate."""
    found: Any = component("families", case.family).config.parse({"kind": case.family, **case.settings}, where="bench")
    return build_family(found.resolve(depth=case.depth, shape=case.shape), shape=case.shape, seed=1)


def feed_of(case: Case, encoded: Encoded) -> RowFeed:
    """Shuffled batches."""
    return RowFeed(encoded, shape=case.shape, seed=1, device="cpu")


# --- this project ------------------------------------------------------------------------------------------------


def ours(case: Case, encoded: Encoded, steps: int) -> float:
    """Samples per CPU-second of the trainer."""
    meter, family = Meter(), build(case)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = Context(
            root=folder,
            scratch=folder,
            checkpoints=folder / "checkpoints",
            inputs={},
            seed=1,
            device="cpu",
            modality="table",
            progress=Ticking(meter),
            decide=lambda name, make: (
                {"num_steps": steps, "num_looks": 0, "compiled": False} if "plan" in name else make()
            ),
            should_stop=lambda: False,
            log=lambda step, values: None,
        )
        settings = {"precision": "float32", "average": AVERAGE, "optimiser": {"kind": "adamw"}, "compile": "off"}
        config = TrainerConfig.parse(settings, where="bench")
        rate = family.config.learning_rate()
        train(Job(family, feed_of(case, encoded), [], case.rows, case.rows, rate), config=config, context=context)
    return samples_per_second(meter, case)


# --- by hand -----------------------------------------------------------------------------------------------------


class Part:
    """AdamW, clipping and moving average of one part, as one writes them."""

    def __init__(self, parameters: list[torch.nn.Parameter], own: Mapping[str, Any], rate: float) -> None:
        self.parameters, self.clip = parameters, own.get("clip_norm", 1.0)
        decay = own.get("weight_decay", 0.1)
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        betas = (own.get("beta1", 0.9), own.get("beta2", 0.95))
        self.rate = own.get("learning_rate") or rate
        self.optimiser = torch.optim.AdamW(groups, lr=self.rate, betas=betas, eps=1e-10, fused=True)
        self.average = [p.detach().clone() for p in parameters]

    def step(self, multiplier: float, decay: float) -> float:
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * multiplier
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1.0 - decay)
        return float(norm)


def by_hand(case: Case, encoded: Encoded, steps: int) -> float:
    """Samples per CPU-second of a plain loop."""
    family, feed, meter = build(case), feed_of(case, encoded), Meter()
    own = family.optimisers() if hasattr(family, "optimisers") else {}
    rate = family.config.learning_rate()
    parts = {name: Part(list(p), own.get(name, {}), rate) for name, p in family.parts().items()}
    schedule = ScheduleConfig()
    family.train()
    meter.tick()
    for step in range(steps):
        clock = Clock(step, step / steps)
        for name, loss, logs in family.losses(feed.take(step * case.rows, count=case.rows), clock):
            family.zero_grad(set_to_none=True)
            loss.backward()
            parts[name].step(
                schedule.rate(clock.fraction), min(1 - 1 / (AVERAGE * steps + 1), (1 + step) / (10 + step))
            )
            found = [float(value) for value in logs.values()]
            assert all(np.isfinite(found)), f"{case.name}: {found}"
        meter.tick()
    return samples_per_second(meter, case)


def samples_per_second(meter: Meter, case: Case) -> float:
    """Over all steps but those left out, and but the last, which the trainer ends its log with."""
    steps = len(meter.times) - 2 - LEFT_OUT
    return steps * case.rows / (meter.times[-2] - meter.times[LEFT_OUT])


def measure(case: Case, *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """One number a round for both."""
    encoded = rows_of(case.shape)
    started = time.process_time()
    by_hand(case, encoded, LEFT_OUT + 8)
    each = (time.process_time() - started) / (LEFT_OUT + 8)
    steps = LEFT_OUT + 2 + max(8, int(seconds / each))
    found: dict[str, list[float]] = {"genwright": [], "by hand": []}
    for turn in range(rounds):
        for name in list(found)[:: 1 if turn % 2 == 0 else -1]:
            rate = (ours if name == "genwright" else by_hand)(case, encoded, steps)
            found[name].append(round(rate, 1))
    print(f"{case.name:36s} {steps} steps  {found}", flush=True)
    return found


def table(found: Mapping[str, Mapping[str, list[float]]]) -> list[dict[str, Any]]:
    """The median ratio of each round's pair, with its range."""
    rows = []
    for name, rates in found.items():
        ratios = [a / b for a, b in zip(rates["genwright"], rates["by hand"], strict=True)]
        rows.append(
            {
                "what": f"{name}: genwright / by hand",
                "value": round(statistics.median(ratios), 3),
                "interval": [round(min(ratios), 3), round(max(ratios), 3)],
                "unit": "x",
                "goal": "at least 0.95",
                "note": f"{statistics.median(rates['genwright']):,.0f} samples per CPU-second",
            }
        )
    return rows


def main() -> None:
    """Measures and writes `bench/results/family_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn, about")
    parser.add_argument("--only", default="", help="names that begin so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [case for case in CASES if case.name.startswith(arguments.only)]
    found = {case.name: measure(case, rounds=arguments.rounds, seconds=arguments.seconds) for case in chosen}
    report.write(
        "family_speed",
        title="Training loop of each family, beside one by hand: median [range] of the rounds' ratios",
        command=f"python bench/family_speed.py --rounds {arguments.rounds} --seconds {arguments.seconds:g}",
        rows=table(found),
        libraries=("torch",),
        rounds=found,
    )


if __name__ == "__main__":
    main()
