"""One run of a peer in a process of its own: `lora_speed.py` calls it with the interpreter that has the peers.

Prints one line of JSON: the loss of each step, its real tokens, and CPU seconds at the end of each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from torch.utils.data import SequentialSampler

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Log(transformers.TrainerCallback):  # type: ignore[misc]
    """CPU seconds at the start and after each step, the losses, and the real tokens of each batch."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.tokens: list[int] = []
        self.losses: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.times.append(time.process_time())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.process_time())

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:
            self.losses.append(logs["loss"])

    def counting(self, collate: Callable[[Any], dict[str, torch.Tensor]]) -> Callable[[Any], dict[str, torch.Tensor]]:
        """The same batches, with their tokens counted."""

        def counted(rows: Any) -> dict[str, torch.Tensor]:
            batch = collate(rows)
            mask = batch.get("attention_mask")
            self.tokens.append(int(batch["input_ids"].numel() if mask is None else mask.sum()))
            return batch

        return counted


def padded(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch padded to its longest row."""
    longest = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": 0, "labels": -100, "attention_mask": 0}
    return {
        name: torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])
        for name, value in fill.items()
    }


class InOrder(transformers.Trainer):  # type: ignore[misc]
    """The Trainer on rows in the order in which they come."""

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def settings(kind: type[Any], folder: str, arguments: argparse.Namespace, **more: Any) -> Any:
    common = {
        "max_steps": arguments.steps, "per_device_train_batch_size": arguments.rows, "learning_rate": arguments.rate,
        "use_cpu": True, "report_to": "none", "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True,
        "lr_scheduler_type": "constant", "weight_decay": 0.0, "adam_beta2": 0.999, "bf16": arguments.bf16, "seed": 1,
    }  # fmt: skip
    return kind(folder, **(common | more))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=("trainer", "trainer-sorted", "trl", "trl-packing"))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in arguments.data.read_text().splitlines()]
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    lora = peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.variant.startswith("trainer"):
            if arguments.variant == "trainer-sorted":
                rows = sorted(rows, key=lambda row: len(row["input_ids"]))
            if arguments.adapter:
                model = peft.PeftModel.from_pretrained(model, arguments.adapter, is_trainable=True)
            else:
                model = peft.get_peft_model(model, lora)
            made = settings(transformers.TrainingArguments, folder, arguments)
            InOrder(model, made, train_dataset=rows, data_collator=log.counting(padded), callbacks=[log]).train()
        else:
            train_with_trl(model, rows, lora, arguments, folder=folder, log=log)
    print(json.dumps({"times": log.times, "losses": log.losses, "tokens": log.tokens}))


def train_with_trl(
    model: Any, rows: list[dict[str, Any]], lora: Any, arguments: argparse.Namespace, *, folder: str, log: Log
) -> None:
    import trl
    from datasets import Dataset

    columns = {
        "input_ids": [row["input_ids"] for row in rows],
        "completion_mask": [[int(label >= 0) for label in row["labels"]] for row in rows],
    }
    packing = arguments.variant == "trl-packing"
    more: dict[str, Any] = {"packing": packing, "completion_only_loss": True, "max_length": 512}
    if packing:
        more |= {"packing_strategy": "wrapped", "gradient_checkpointing": False, "per_device_train_batch_size": 1}
    made = settings(trl.SFTConfig, folder, arguments, **more)
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    dataset = Dataset.from_dict(columns)
    trainer = trl.SFTTrainer(
        model, made, train_dataset=dataset, processing_class=tokenizer, peft_config=lora, callbacks=[log]
    )
    trainer.data_collator = log.counting(trainer.data_collator)
    trainer.train()


if __name__ == "__main__":
    main()
