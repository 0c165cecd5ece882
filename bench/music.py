"""Nats per cell of Bach's chorales, and a soprano harmonised: `python bench/music.py FOLDER NAME=BUDGET ...`.

A budget is processor time ("1200s") or a number of steps; ", seed 2" at the end of a name takes another seed, and with
it another split.

Two splits: by melody group, as the recipe does, and by piece at 60/20/20 with a fixed seed. The second is customary in
kind but is no published one: those are in no package. It leaks, since the same tune was set many times.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import report
from genwright.cli.progress import LineProgress
from genwright.modalities.dataset import read_rows
from genwright.project import Project
from genwright.project.recipes import new_project

SHARED = ["project.threads=1", "evaluate.num_samples=100", "train.trainer.compile=off"]
BY_PIECE = ["data.sources.0.group=piece", "data.split={validation = 0.2, test = 0.2}"]
AUTOREGRESSIVE = "train.family={kind = 'autoregressive', cell_width = 96, cell_layers = 3}"
DROPOUT = "train.family.net={kind = 'transformer', dropout = 0.1}"
LSTM = "train.family={kind = 'autoregressive', cell_width = 192, cell_layers = 2, net = {kind = 'lstm', dropout = 0.4}}"
ANY_ORDER = "train.family={kind = 'diffusion', net = {kind = 'bidirectional', width = 96, num_layers = 3}}"
COPIES = "fit.codec={kind = 'music-tokens', transpose_up_to = 5}"
RUNS: dict[str, list[str]] = {
    "autoregressive, by melody": [AUTOREGRESSIVE],
    "autoregressive, by piece": [AUTOREGRESSIVE, *BY_PIECE],
    "autoregressive with dropout, by melody": [AUTOREGRESSIVE, DROPOUT],
    "autoregressive on transposed copies, by melody": [AUTOREGRESSIVE, DROPOUT, COPIES],
    "autoregressive on transposed copies, by piece": [AUTOREGRESSIVE, DROPOUT, COPIES, *BY_PIECE],
    "LSTM on transposed copies, by melody": [LSTM, COPIES],
    "any order on transposed copies, by melody": [ANY_ORDER, COPIES],
    "LSTM, by melody": [LSTM],
    "LSTM, by piece": [LSTM, *BY_PIECE],
    "any order, by melody": [ANY_ORDER],
    "any order, by piece": [ANY_ORDER, *BY_PIECE],
    "Markov chain per voice, by melody": ["train.family=markov"],
    "Markov chain per voice, by piece": ["train.family=markov", *BY_PIECE],
}
GOALS = {"autoregressive": "at most 0.50", "LSTM": "at most 0.56", "any order": "at most 0.60 (bound)"}
VOICES = ("soprano", "alto", "tenor", "bass")
HARMONISED = 48


def sounding(text: str) -> list[int | None]:
    """The pitch that sounds at each step of a voice, None for silence."""
    found: list[int | None] = []
    for word in text.split():
        held = found[-1] if found else None
        found.append(held if word == "_" else None if word in (".", "?") else int(word))
    return found


def harmonised(project: Project, system: str, dataset: Path) -> tuple[float, list[float], int]:
    """The share of alto, tenor and bass cells that sound as Bach's do where the soprano is given, by windows."""
    rows = read_rows(dataset, split="test")
    rows = rows.take(pa.array(np.random.default_rng(0).permutation(len(rows))[:HARMONISED]))
    given = pa.table({name: rows[name] if name == "soprano" else pa.nulls(len(rows), pa.string()) for name in VOICES})
    made = project.system(system).sample(len(rows), given=given, seed=0)
    right = []
    for row in range(len(rows)):
        pairs = [
            (a, b)
            for name in VOICES[1:]
            for a, b in zip(sounding(rows[name][row].as_py()), sounding(made[name][row].as_py()), strict=True)
        ]
        right.append(float(np.mean([a == b for a, b in pairs])))
    draws = np.array(right)[np.random.default_rng(1).integers(len(right), size=(2000, len(right)))].mean(1)
    return float(np.mean(right)), [float(end) for end in np.quantile(draws, (0.025, 0.975))], len(right)


def one(project: Project, name: str, budget: str) -> list[dict[str, Any]]:
    """Likelihood and harmonisation of one run."""
    known, seed = report.seeded(name)
    overrides = [*SHARED, *RUNS[known], seed]
    if not name.startswith("Markov"):
        overrides.append(report.budget(budget))
    (done,) = project.run(["evaluate"], overrides=overrides, progress=LineProgress(as_json=False))
    runs = {step.stage.name: step.run for step in done.steps if step.run}
    claim = next(c for c in done.claims if c.metric == "negative_log_likelihood")
    what = f"{name} ({runs['train']['cost']['cpu_s']:.0f} CPU-seconds)"
    shown, goal = claim.estimate, next((text for start, text in GOALS.items() if name.startswith(start)), "")
    bound = ", upper bound" if claim.label else ""
    rows = [_row(f"{what}: nats per cell{bound}", shown.value, [shown.low, shown.high], "nats/cell", goal, shown.n)]
    dataset = project.checked_path(runs["data"]["outputs"]["dataset"])
    value, ends, count = harmonised(project, runs["evaluate"]["outputs"]["system"], dataset)
    return [*rows, _row(f"{what}: cells right under a given soprano", value, ends, "share of cells", "", count)]


def _row(what: str, value: float, ends: list[Any], unit: str, goal: str, n: int) -> dict[str, Any]:
    interval = [end and round(end, 4) for end in ends]
    return {"what": what, "value": round(value, 4), "unit": unit, "interval": interval, "goal": goal, "n": n}


def main() -> None:
    """Run what is named, and write everything that was run in FOLDER."""
    folder = Path(sys.argv[1])
    if not folder.exists():
        new_project("chorales", folder)
    kept = folder / "found.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    for word in sys.argv[2:]:
        name, _, budget = word.rpartition("=")
        found[word] = one(Project.find(folder), name, budget)
        kept.write_text(json.dumps(found, indent=1))
    report.write(
        "music",
        title="Bach's chorales in windows of four bars, a cell per voice and sixteenth, one thread",
        command="python bench/music.py FOLDER " + " ".join(map(repr, found)),
        rows=[row for rows in found.values() for row in rows],
        libraries=("torch",),
    )


if __name__ == "__main__":
    main()
