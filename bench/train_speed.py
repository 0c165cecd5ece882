"""Training speed, tokens per CPU-second: `transformers.Trainer`, plain loops, and this project's trainer, side by side.

Same Llama-layout net of 12.2 M parameters (6 layers, width 384), context 256, batch 8, vocabulary 4,096, AdamW, random
ids (speed does not depend on them). Variants alternate in one process, the order turning each round; the first steps
of each are left out. Run: python bench/train_speed.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import report
from genwright.core import Context
from genwright.core.protocols import Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import build_family
from genwright.nets import TransformerConfig
from genwright.nets.export import hf_config
from genwright.trainer import TrainerConfig
from genwright.trainer.loop import Job, train

VOCAB, CONTEXT, ROWS = 4096, 256, 8
LEFT_OUT = 2
NET = TransformerConfig(qk_norm=False).resolve(depth=6, vocab_size=VOCAB)
RATE = 1e-3


class Meter:
    """CPU seconds between the end of the steps left out and the last step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def tick(self) -> None:
        self.times.append(time.process_time())

    @property
    def rate(self) -> float:
        steps = len(self.times) - 1 - LEFT_OUT
        return steps * ROWS * CONTEXT / (self.times[-1] - self.times[LEFT_OUT])


class Ids:
    """Random rows."""

    row_units, unit = CONTEXT, "token"

    def take(self, first: int, /, *, count: int) -> Tokens:
        generator = torch.Generator().manual_seed(first)
        return Tokens(torch.randint(0, VOCAB, (count, CONTEXT + 1), generator=generator))


def family() -> Any:
    shape = TokenShape(VOCAB, 0, 1, CONTEXT)
    return build_family(AutoregressiveConfig(net=NET), shape=shape, seed=1)


# --- this project ------------------------------------------------------------------------------------------------


class Ticking:
    """Progress whose every advance is a tick."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[Ticking]:
        yield self

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        self.meter.tick()

    def say(self, message: str, /) -> None:
        print("  ", message)


def ours(steps: int, *, precision: str, compiled: bool) -> float:
    meter = Meter()
    plan = {"num_steps": steps, "num_looks": 0, "compiled": compiled}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = Context(
            root=folder,
            scratch=folder,
            checkpoints=folder / "checkpoints",
            inputs={},
            seed=1,
            device="cpu",
            modality="text",
            progress=Ticking(meter),
            decide=lambda name, make: plan if "plan" in name else make(),
            should_stop=lambda: False,
            log=lambda step, values: None,
        )
        settings = {"precision": precision, "average": 0.0, "optimiser": {"kind": "adamw"}}
        job = Job(family(), Ids(), [], batch_rows=ROWS, micro_rows=ROWS, learning_rate=RATE)
        train(job, config=TrainerConfig.parse(settings, where="bench"), context=context)
    return meter.rate


# --- the same tricks by hand -------------------------------------------------------------------------------------


def by_hand(steps: int, *, compiled: bool) -> float:
    net = family().net.bfloat16()
    if compiled:
        net.compile_blocks()
    masters = [parameter.detach().float().requires_grad_() for parameter in net.parameters()]
    return _loop(net, masters, steps)


def by_hand_float32(steps: int) -> float:
    net = family().net
    return _loop(net, list(net.parameters()), steps)


def _loop(net: Any, masters: list[torch.Tensor], steps: int) -> float:
    optimiser = torch.optim.AdamW(masters, lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    meter, ids = Meter(), Ids()
    meter.tick()
    for step in range(steps):
        batch = ids.take(step * ROWS, count=ROWS).ids
        net.zero_grad(set_to_none=True)
        net(batch[:, :-1], batch[:, 1:]).nll.backward()
        for master, parameter in zip(masters, net.parameters(), strict=True):
            assert parameter.grad is not None
            master.grad = parameter.grad.float()  # its own where it is float32 already
        torch.nn.utils.clip_grad_norm_(masters, 1.0)
        optimiser.step()
        with torch.no_grad():
            for master, parameter in zip(masters, net.parameters(), strict=True):
                if master is not parameter:
                    parameter.copy_(master)
        meter.tick()
    return meter.rate


# --- peers -------------------------------------------------------------------------------------------------------


def llama() -> Any:
    import transformers

    settings = hf_config(NET, vocab_size=VOCAB, context_tokens=CONTEXT)
    for name in ("architectures", "dtype", "model_type"):
        settings.pop(name)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings))


def plain_loop(steps: int, *, autocast: bool) -> float:
    model = llama().train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)
    meter, ids = Meter(), Ids()
    meter.tick()
    for step in range(steps):
        batch = ids.take(step * ROWS, count=ROWS).ids[:, :-1]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        meter.tick()
    return meter.rate


def trainer(steps: int, *, bf16: bool) -> float:
    import transformers

    meter = Meter()

    class Tick(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            meter.tick()

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            meter.tick()

    ids = Ids().take(0, count=steps * ROWS).ids[:, :-1]
    rows = [{"input_ids": row, "labels": row} for row in ids]
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
            max_steps=steps,
            per_device_train_batch_size=ROWS,
            bf16=bf16,
            use_cpu=True,
            learning_rate=RATE,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        transformers.Trainer(llama(), arguments, train_dataset=rows, callbacks=[Tick()]).train()
    return meter.rate


VARIANTS: dict[str, Callable[[int], float]] = {
    "transformers.Trainer float32": lambda n: trainer(n, bf16=False),
    "transformers.Trainer bf16": lambda n: trainer(n, bf16=True),
    "plain loop float32": lambda n: plain_loop(n, autocast=False),
    "plain loop autocast": lambda n: plain_loop(n, autocast=True),
    "by hand, same net": lambda n: by_hand(n, compiled=False),
    "by hand, same net, compiled": lambda n: by_hand(n, compiled=True),
    "genwright float32": lambda n: ours(n, precision="float32", compiled=False),
    "genwright": lambda n: ours(n, precision="bfloat16", compiled=False),
    "genwright, compiled": lambda n: ours(n, precision="bfloat16", compiled=True),
}
PEERS = ("transformers.Trainer float32", "transformers.Trainer bf16", "plain loop float32", "plain loop autocast")


# Where bfloat16 is emulated, only these say what the framework costs.
EAGER: dict[str, Callable[[int], float]] = {
    "by hand, same net, float32": by_hand_float32,
    "genwright float32": VARIANTS["genwright float32"],
}


def measure(variants: dict[str, Callable[[int], float]], rounds: int, *, steps: int) -> dict[str, list[float]]:
    """Tokens per CPU-second of each variant, one number a round."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds):
        for name in list(variants)[:: 1 if turn % 2 == 0 else -1]:
            rate = variants[name](steps + LEFT_OUT)
            found[name].append(round(rate, 1))
            print(f"round {turn + 1}  {name:32s} {rate:8.0f} tokens per CPU-second", flush=True)
    return found


def rows_of(found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians with their ranges, and the ratios that were to be reached."""
    medians = {name: statistics.median(values) for name, values in found.items()}
    best, peer = max(medians["genwright"], medians["genwright, compiled"]), max(medians[name] for name in PEERS)
    default = medians["transformers.Trainer float32"]
    by_hand = medians["genwright, compiled"] / medians["by hand, same net, compiled"]
    eager = medians["genwright"] / medians["by hand, same net"]
    unit = "tokens per CPU-second"
    rows: list[dict[str, Any]] = [
        {"what": name, "value": medians[name], "unit": unit, "interval": [min(values), max(values)]}
        for name, values in found.items()
    ]
    return [
        *rows,
        {"what": "best of ours / best peer", "value": round(best / peer, 2), "unit": "x", "goal": "at least 1.25"},
        {"what": "best of ours / the default", "value": round(best / default, 2), "unit": "x", "goal": "at least 2"},
        {"what": "ours / by hand, compiled", "value": round(by_hand, 2), "unit": "x", "goal": "at least 1.0"},
        {"what": "ours / by hand, eager", "value": round(eager, 2), "unit": "x", "goal": "at least 1.0"},
    ]


def eager_rows(found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Both loops, and the median and range of their ratio round by round."""
    unit = "tokens per CPU-second"
    rows: list[dict[str, Any]] = [
        {
            "what": name,
            "value": round(statistics.median(values), 1),
            "unit": unit,
            "interval": [min(values), max(values)],
        }
        for name, values in found.items()
    ]
    hand, ours = found.values()
    ratios = sorted(round(a / b, 3) for a, b in zip(ours, hand, strict=True))
    value, goal = round(statistics.median(ratios), 2), "at least 1.0"
    what = "ours / by hand, eager, float32"
    return [*rows, {"what": what, "value": value, "unit": "x", "interval": [ratios[0], ratios[-1]], "goal": goal}]


def main() -> None:
    """Measures and writes `bench/results/train_speed.json`, or with --eager `train_speed_eager.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--eager", action="store_true", help="this loop and one by hand alone, in float32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = measure(EAGER if arguments.eager else VARIANTS, arguments.rounds, steps=arguments.steps)
    options = f"--rounds {arguments.rounds} --steps {arguments.steps} --threads {arguments.threads}"
    what = "what the framework costs" if arguments.eager else "12 million parameters"
    report.write(
        "train_speed_eager" if arguments.eager else "train_speed",
        title=f"Training speed, {what}: median [range] of the rounds",
        command=f"python bench/train_speed.py {options}{' --eager' if arguments.eager else ''}",
        rows=eager_rows(found) if arguments.eager else rows_of(found),
        libraries=("torch", "transformers"),
        rounds=found,
    )


if __name__ == "__main__":
    main()
