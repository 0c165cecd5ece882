"""One model in a process of its own: how fast it decodes, and the most memory that takes.

Reads what to do from standard input as JSON, and writes rows to standard output as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from genwright.systems import load_system

PROMPT = "The quick brown fox jumps over the lazy dog, and"


def measure(asked: Mapping[str, Any], /) -> list[dict[str, Any]]:
    """A row per number of streams: tokens, seconds of wall and processor, and the peak of resident bytes so far."""
    torch.set_num_threads(int(asked["threads"]))
    paths = {name: Path(path) for name, path in asked["paths"].items()}
    system = load_system(Path(asked["folder"]), locate=paths.__getitem__, device=str(asked["device"]))
    rows = []
    for streams in asked["streams"]:
        _decode(system, streams, 2)  # whatever is set up at the first use
        wall, cpu = time.perf_counter(), _cpu_seconds()
        tokens = _decode(system, streams, int(asked["tokens"]))
        rows.append(
            {
                "streams": streams,
                "tokens": tokens,
                "wall_seconds": time.perf_counter() - wall,
                "cpu_seconds": _cpu_seconds() - cpu,
                "peak_bytes": sum(_peak_bytes(process) for process in _family()),
            }
        )
    return rows


def _decode(system: Any, streams: int, tokens: int) -> int:
    sampling = {"temperature": 1.0}
    requests = [system.request(PROMPT, max_tokens=tokens, seed=seed, sampling=sampling) for seed in range(streams)]
    return sum(completion.num_tokens for completion in system.generate(requests))


def _family() -> list[int]:
    """This process and all below it."""
    found = [os.getpid()]
    for process in found:
        children = Path(f"/proc/{process}/task/{process}/children")
        if children.is_file():
            found += [int(child) for child in children.read_text().split()]
    return found


def _cpu_seconds() -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(_ticks(process) for process in _family()) / ticks


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _peak_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(json.loads(sys.stdin.read()))) + "\n")
