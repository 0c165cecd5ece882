"""Diffusion of small pictures: training step and sampling, beside `diffusers`' `UNet2DModel` of equal parameters.

28 x 28 grey pictures, batch 64, float32, one thread, about 1 million parameters each. Sampling draws 64 pictures by 18
evaluations of the net: Euler steps here, DDIM there. A second peer sees pictures as this project's net does, with each
2 x 2 block as four channels. All alternate in one process, the order turning each round.
Run: python bench/diffusion_speed.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

import report
from family_speed import GRID, LEFT_OUT, Case, build, feed_of, ours, rows_of, samples_per_second
from train_speed import Meter

ROWS, STEPS, DRAWN = 64, 18, 64
CASE = Case("diffusion, images", "diffusion", GRID, ROWS, {"sampler": "euler", "steps": STEPS}, depth=6)
ENCODED = rows_of(GRID)
PEERS = {"diffusers": 1, "diffusers, 2 x 2 blocks": 2}


def count(net: Any) -> int:
    """Parameters."""
    return sum(value.numel() for value in net.parameters())


def peer(block: int) -> Any:
    """A U-Net of two resolutions with attention at the lower one."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=28 // block,
        in_channels=block * block,
        out_channels=block * block,
        block_out_channels=(32, 64),
        layers_per_block=2,
        norm_num_groups=16,
        attention_head_dim=32,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )


def peer_training(steps: int, *, block: int) -> float:
    """Pictures per CPU-second of a plain loop."""
    from diffusers import DDPMScheduler

    net, schedule, feed, meter = peer(block).train(), DDPMScheduler(), feed_of(CASE, ENCODED), Meter()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    meter.tick()
    for step in range(steps):
        batch: Any = feed.take(step * ROWS, count=ROWS)
        pictures = functional.pixel_unshuffle(batch.values, block)
        noise, times = torch.randn_like(pictures), torch.randint(0, 1000, (ROWS,))
        guess = net(schedule.add_noise(pictures, noise, times), times).sample
        loss = functional.mse_loss(guess, noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        float(loss.detach())
        meter.tick()
    return samples_per_second(meter, CASE)


@torch.no_grad()
def peer_sampling(*, block: int) -> float:
    """Pictures per CPU-second."""
    from diffusers import DDIMScheduler

    net, schedule = peer(block).eval(), DDIMScheduler()
    schedule.set_timesteps(STEPS)
    started = time.process_time()
    x = torch.randn(DRAWN, block * block, 28 // block, 28 // block)
    for at in schedule.timesteps:
        x = schedule.step(net(x, at).sample, at, x).prev_sample
    functional.pixel_shuffle(x, block).clamp(-1, 1)
    return DRAWN / (time.process_time() - started)


def our_sampling() -> float:
    """Pictures per CPU-second."""
    family = build(CASE).eval()
    started = time.process_time()
    family.sample(DRAWN, rng=torch.Generator().manual_seed(0))
    return DRAWN / (time.process_time() - started)


def variants(steps: int) -> dict[str, Callable[[], float]]:
    """What is measured, by what and whom."""
    found: dict[str, Callable[[], float]] = {
        "training, genwright": lambda: ours(CASE, ENCODED, steps),
        "sampling, genwright": our_sampling,
    }
    for name, block in PEERS.items():
        found[f"training, {name}"] = lambda block=block: peer_training(steps, block=block)  # type: ignore[misc]
        found[f"sampling, {name}"] = lambda block=block: peer_sampling(block=block)  # type: ignore[misc]
    return found


def table(found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians, and ratios to the peers."""
    medians = {name: statistics.median(values) for name, values in found.items()}
    unit = "pictures per CPU-second"
    rows: list[dict[str, Any]] = [
        {"what": name, "value": round(medians[name], 1), "unit": unit, "interval": [min(values), max(values)]}
        for name, values in found.items()
    ]
    for name in PEERS:
        for what in ("training", "sampling"):
            ratio = round(medians[f"{what}, genwright"] / medians[f"{what}, {name}"], 2)
            goal = "at least 1.5" if name == "diffusers" else "-"
            rows.append({"what": f"{what}: genwright / {name}", "value": ratio, "unit": "x", "goal": goal})
    return rows


def main() -> None:
    """Measures and writes `bench/results/diffusion_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = variants(arguments.steps + LEFT_OUT)
    found: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(arguments.rounds):
        for name in list(chosen)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(round(chosen[name](), 2))
            print(f"round {turn + 1}  {name:42s} {found[name][-1]:8.1f} pictures per CPU-second", flush=True)
    sizes = {"genwright": count(build(CASE)), **{name: count(peer(block)) for name, block in PEERS.items()}}
    report.write(
        "diffusion_speed",
        title="Diffusion of 28 x 28 pictures beside diffusers: median [range] of the rounds",
        command=f"python bench/diffusion_speed.py --rounds {arguments.rounds} --steps {arguments.steps}",
        rows=table(found),
        libraries=("torch", "diffusers"),
        rounds=found,
        parameters=sizes,
    )


if __name__ == "__main__":
    main()
