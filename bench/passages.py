"""Likelihood of families over short passages of prose: `python bench/passages.py FOLDER NAME=BUDGET ...`.

Nats per held-out byte, exact or a bound; of the VAE also the divergence of its latents, which is 0 where the decoder
ignores them. A budget is processor time ("300s") or a number of steps. What is in FOLDER is not run again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import report
from genwright.cli.progress import LineProgress
from genwright.measure.scores import read_scores
from genwright.project import Project
from genwright.project.recipes import new_project

SHARED = [
    "project.threads=1",
    "data.max_samples=8000",
    "evaluate.num_samples=200",
    "evaluate.baseline=off",
    "train.trainer.compile=off",
    "fit.codec={kind = 'passage-bpe', vocab_size = 4096}",
]
NET = "net = {kind = 'transformer', num_layers = 3, d_model = 128, tied_head = false}"
MASKED = "net = {kind = 'bidirectional', width = 128, num_layers = 3}"
RUNS = {
    "autoregressive": f"{{kind = 'autoregressive', {NET}}}",
    "autoregressive, LSTM": "{kind = 'autoregressive', net = {kind = 'lstm', num_layers = 2, d_model = 192}}",
    "VAE": "{kind = 'vae', width = 128, num_layers = 3, d_latent = 32}",
    "masked diffusion": f"{{kind = 'diffusion', least_masked = 0.2, {MASKED}}}",
}


def one(project: Project, name: str, budget: str) -> dict[str, Any]:
    """The likelihood of one run with its interval, its CPU-seconds, and the last divergences of a VAE."""
    overrides = [*SHARED, f"train.family={RUNS[name]}", report.budget(budget)]
    (done,) = project.run(["evaluate"], overrides=overrides, progress=LineProgress(as_json=False))
    claim = next(c for c in done.claims if c.metric == "negative_log_likelihood")
    train = next(step.run for step in done.steps if step.stage.name == "train" and step.run)
    log = read_scores(project.ledger.store.path(train["outputs"]["training_log"]))
    shown = claim.estimate
    return {
        "budget": budget,
        "cpu_s": train["cost"]["cpu_s"],
        "bound": bool(claim.label),
        "n": shown.n,
        "nats": [shown.value, shown.low, shown.high],
        "divergence": float(np.mean(log["divergence"][-8:])) if "divergence" in log else None,
    }


def rows_of(name: str, found: dict[str, Any], exact: float | None) -> list[dict[str, Any]]:
    """Lines of the table; a bound is read beside the exact likelihood."""
    what = f"{name}{', upper bound' if found['bound'] else ''} ({found['cpu_s']:.0f} CPU-s)"
    value, *ends = (round(part, 4) for part in found["nats"])
    rows = [{"what": what, "value": value, "unit": "nats/byte", "interval": ends, "n": found["n"]}]
    if found["bound"] and exact:
        goal = "at most 1.15" if name == "masked diffusion" else ""
        ratio = round(found["nats"][0] / exact, 3)
        rows.append({"what": f"{name} / autoregressive", "value": ratio, "unit": "x", "goal": goal})
    if found["divergence"] is not None:
        divergence = round(found["divergence"], 2)
        rows.append({"what": f"{name}: divergence", "value": divergence, "unit": "nats/passage", "goal": "above 0"})
    return rows


def main() -> None:
    """Run what is named, and write everything that was run in FOLDER."""
    folder = Path(sys.argv[1])
    if not folder.exists():
        new_project("prose-passages", folder)
    kept = folder / "found.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    for name, _, budget in (word.rpartition("=") for word in sys.argv[2:]):
        found[name] = one(Project.find(folder), name, budget)
        kept.write_text(json.dumps(found, indent=1))
    exact = found["autoregressive"]["nats"][0] if "autoregressive" in found else None
    report.write(
        "passages",
        title="Passages of at most 120 characters of prose, one thread: nats per held-out byte",
        command="python bench/passages.py FOLDER "
        + " ".join(f"'{name}={run['budget']}'" for name, run in found.items()),
        rows=[row for name, run in found.items() for row in rows_of(name, run, exact)],
        libraries=("torch",),
    )


if __name__ == "__main__":
    main()
