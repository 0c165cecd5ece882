"""Generators of molecules at one budget, on a third of MOSES: `python bench/molecules.py FOLDER NAME=BUDGET ...`.

Every third molecule of MOSES' train file, so that what is held out is like what is trained on; the recipe takes every
twentieth. A budget is processor time ("1200s") or a number of steps; ", seed 2" at the end of a name takes another
seed, and with it another split. What is in FOLDER is not run again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import report
from genwright.cli.progress import LineProgress
from genwright.project import Project
from genwright.project.recipes import new_project

SHARED = [
    "project.threads=1",
    "data.sources.0.every=3",
    "data.split={validation = 0.02, test = 0.06}",
    "train.trainer.compile=off",
    "train.trainer.validation={times = 4, max_samples = 1000}",
    "evaluate.baseline=off",
]
AUTOENCODER = "width = 96, num_layers = 3, d_latent = 32, word_dropout = 0.0"
NET = "net = {kind = 'transformer', num_layers = 4, d_model = 128, tied_head = false}"
MANY = ["evaluate.num_samples=4000", "evaluate.metrics={reference_rows = 20000, fcd_resamples = 4}"]
FEW = ["evaluate.num_samples=3000", "evaluate.metrics={reference_rows = 10000, fcd_resamples = 4}"]
RUNS: dict[str, list[str]] = {
    "autoregressive": [f"train.family={{kind = 'autoregressive', {NET}}}", *MANY],
    "autoregressive, SELFIES": [
        f"train.family={{kind = 'autoregressive', {NET}}}",
        "fit.codec=molecule-selfies",
        "evaluate.temperature=1.0",
        *FEW,
    ],
    "VAE": [f"train.family={{kind = 'vae', {AUTOENCODER}, bound_samples = 2}}", *FEW],
    "latent GAN": [
        f"train.family={{kind = 'latent', prior = 'gan', split = 0.7, autoencoder = {{{AUTOENCODER}}}}}",
        *FEW,
    ],
}
GOALS: dict[str, dict[str, str]] = {
    "autoregressive": {
        "legal_share": "at least 0.93",
        "frechet_chemnet_distance": "at most 0.5",
        "new_share": "at least 0.90",
    },
    "autoregressive, SELFIES": {"legal_share": "1.0"},
    "VAE": {"legal_share": "at least 0.85", "frechet_chemnet_distance": "at most 1.2"},
    "latent GAN": {"legal_share": "at least 0.75", "frechet_chemnet_distance": "at most 3"},
}
SHORT = {"legal_share": "at least 0.75", "frechet_chemnet_distance": "at most 1.2"}  # autoregression in 100 CPU-seconds
METRICS = ("legal_share", "frechet_chemnet_distance", "new_share", "different_share", "property_r2")
FLOOR = "reference: other real samples"


def one(project: Project, name: str, budget: str, more: list[str]) -> list[dict[str, Any]]:
    """The claims of one run as rows, with the floor of the Fréchet distance beside it."""
    known, seed = report.seeded(name)
    overrides = [*SHARED, *RUNS[known], seed, report.budget(budget), *more]
    (done,) = project.run(["evaluate"], overrides=overrides, progress=LineProgress(as_json=False))
    goals = SHORT if (known, budget) == ("autoregressive", "100s") else GOALS[known]
    seconds = next(s.run["cost"]["cpu_s"] for s in done.steps if s.stage.name == "train" and s.run)
    rows = []
    for claim in done.claims:
        floor = claim.metric == "frechet_chemnet_distance" and claim.label == FLOOR
        if claim.metric in METRICS and (not claim.label or floor or claim.metric == "property_r2"):
            label = f", {claim.label}" if claim.label else ""
            shown = claim.estimate
            rows.append(
                {
                    "what": f"{name} ({seconds:.0f} CPU-seconds): {claim.metric}{label}",
                    "value": shown.value and round(shown.value, 4),
                    "unit": claim.unit,
                    "interval": [end and round(end, 4) for end in (shown.low, shown.high)],
                    "goal": "" if claim.label else goals.get(claim.metric, ""),
                    "n": shown.n,
                }
            )
    return rows


def main() -> None:
    """Run what is named, and write everything that was run in FOLDER; words with a dot are further overrides."""
    folder = Path(sys.argv[1])
    if not folder.exists():
        new_project("molecule-design", folder)
    asked = [word for word in sys.argv[2:] if "." not in word.partition("=")[0]]
    more = [word for word in sys.argv[2:] if word not in asked]
    kept = folder / "found.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    for word in asked:
        name, _, budget = word.rpartition("=")
        found[word] = {"words": [repr(word), *map(repr, more)]}
        found[word]["rows"] = one(Project.find(folder), name, budget, more)
        kept.write_text(json.dumps(found, indent=1, ensure_ascii=False))
    report.write(
        "molecules",
        title="Molecules, a third of MOSES, one thread",
        command="; ".join(f"python bench/molecules.py FOLDER {' '.join(run['words'])}" for run in found.values()),
        rows=[row for run in found.values() for row in run["rows"]],
        libraries=("torch", "rdkit"),
    )


if __name__ == "__main__":
    main()
