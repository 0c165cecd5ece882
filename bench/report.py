"""Where a benchmark's figures go: one JSON file per benchmark, with the machine; README and docs read it."""

import json
import platform
from pathlib import Path
from typing import Any

from genwright.project.machine import library_version, machine_facts

RESULTS = Path(__file__).parent / "results"


def budget(text: str, /) -> str:
    """The override for "1200s" of processor time, or for a number of steps."""
    return f"train.trainer.budget={{{f'steps = {text}' if text.isdigit() else f'cpu_time = {text!r}'}}}"


def seeded(name: str, /) -> tuple[str, str]:
    """A name without its ", seed 2", and the override for that seed (1 where none is named)."""
    known, _, seed = name.partition(", seed ")
    return known, f"project.seed={seed or 1}"


def write(
    name: str, /, *, title: str, command: str, rows: list[dict[str, Any]], libraries: tuple[str, ...] = (), **more: Any
) -> Path:
    """The file `results/NAME.json`. A row is `{what, value, unit, goal, note}`; `goal` says what was to be reached."""
    machine = {**machine_facts(), "platform": platform.platform()}
    versions = {library: library_version(library) for library in ("genwright", *libraries)}
    body = {"title": title, "command": command, "machine": machine, "versions": versions, "rows": rows, **more}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['what']}: {row['value']} {row.get('unit', '')}  (goal: {row.get('goal', '-')})")
    return path
