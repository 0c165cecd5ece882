"""What a model costs to use: bytes, and speed and memory in processes of their own, two models by turns."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genwright.core import Context, GenwrightError
from genwright.stages.compress.config import CostConfig

WATTS_PER_CORE = 6.0  # as the runner's meter assumes where the machine has no counters


def cost_rows(config: CostConfig, systems: Mapping[str, Path], /, *, context: Context) -> list[dict[str, Any]]:
    """A row per model, round and number of streams: tokens made, and what they took.

    `systems` are folders with a manifest, by the name of the model.

    Raises:
        GenwrightError: a model does not decode.
    """
    rows: list[dict[str, Any]] = []
    paths = {artifact.digest: str(artifact.path) for artifact in context.inputs.values()}
    paths |= {folder.name: str(folder) for folder in systems.values()}
    with context.progress.task("measure speed and memory", total=config.rounds * len(systems)) as task:
        for number in range(config.rounds):
            for name, folder in systems.items():
                asked = {
                    "folder": str(folder),
                    "paths": paths,
                    "streams": config.streams,
                    "tokens": config.tokens,
                    "threads": int(context.facts.get("threads", 1)),
                    "device": context.device,
                }
                rows += [{"model": name, "round": number, **row} for row in _measured(asked)]
                task.advance(1)
    return rows


def _measured(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "genwright.stages.compress.measuring"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenwrightError(f"the model does not decode: {(done.stderr.splitlines() or ['no output'])[-1]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [{**row, "joules": row["cpu_seconds"] * WATTS_PER_CORE} for row in found]
