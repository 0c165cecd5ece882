"""Families over Fashion-MNIST at a long budget: `python bench/images.py FOLDER [NAME=BUDGET...]`.

A budget is processor time, or a number of steps; 20 minutes if not said; ", seed 2" at the end of a name takes another
seed. Writes `bench/results/images.json`. The project is made in FOLDER; what has run there is not run again. Distances
are of 5,000 samples and 5,000 held-out pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import genwright
import report
from genwright.project.recipes import new_project

FLOW = '{kind="latent", prior={kind="diffusion", objective="flow", guided_below=1.0}, autoencoder={width=24}}'
CODES = '{kind="latent", prior="autoregressive", autoencoder={quantiser="vq", width=24}}'
# The family, its guidance, and the Fréchet distance over that of other real pictures that was to be reached.
CELLS = {
    "VAE": ('{kind="vae", width=24, d_latent=24}', "", 8),
    "flow in the latent": (FLOW, "2.5", 10),
    "flow in the latent, guidance 3": (FLOW, "3", 10),
    "VQ and autoregression": (CODES, "2", 15),
    "GAN in the latent": ('{kind="latent", prior="gan", autoencoder={width=24}}', "", 20),
}
SETTINGS = (
    "data.max_samples=60000",
    "evaluate.num_samples=5000",
    "evaluate.metrics.max_rows=5000",
    "evaluate.metrics.net_steps=2000",
    "project.threads=1",
    "train.trainer.compile=off",
)
METRICS = ("frechet_ratio", "power_spectrum_distance", "c2st_auc_pixels", "coverage", "class_as_asked")
REFERENCES = ("reference: other real samples", "reference: train samples drawn again", "baseline: pca-mixture")


def cell(name: str, *, folder: Path, budget: str) -> tuple[dict[tuple[str, str], Any], float]:
    """The claims of one family by metric and label, and the CPU seconds of its training."""
    known, seed = report.seeded(name)
    family, guidance, _ = CELLS[known]
    if not folder.exists():
        new_project("fashion-images", folder)
    overrides = [report.budget(budget), seed, f"train.family={family}", *SETTINGS]
    if guidance:
        overrides.append(f"evaluate.guidance={guidance}")
    (done,) = genwright.open(folder).run(["evaluate"], overrides=overrides)
    trained = next(step.run for step in done.steps if step.stage.name == "train")
    return {(claim.metric, claim.label): claim for claim in done.claims}, trained["cost"]["cpu_s"]


def row(what: str, claim: Any, **more: Any) -> dict[str, Any]:
    """One line of the table."""
    found = claim.estimate
    interval = [found.low and round(found.low, 3), found.high and round(found.high, 3)]
    return {"what": what, "value": round(found.value, 3), "interval": interval, "unit": claim.metric, **more}


def main() -> None:
    """Run what is named, all by default, and write."""
    folder, runs = Path(sys.argv[1]), sys.argv[2:] or list(CELLS)
    rows: list[dict[str, Any]] = []
    for at, run in enumerate(runs):
        name, _, budget = run.partition("=")
        claims, seconds = cell(name, folder=folder, budget=budget or "20m")
        for label in REFERENCES if not rows else ():
            rows += [row(label, claims[metric, label]) for metric in METRICS if (metric, label) in claims]
        goals = {"frechet_ratio": f"at most {CELLS[report.seeded(name)[0]][2]}", "class_as_asked": "at least 0.95"}
        own = [metric for metric in METRICS if (metric, "") in claims]
        rows += [row(f"{name}, {seconds:.0f} CPU-s", claims[m, ""], goal=goals.get(m, "")) for m in own]
        report.write(
            "images",
            title="Fashion-MNIST: families, one thread",
            command=" ".join(["python bench/images.py FOLDER", *map(repr, runs[: at + 1])]),
            rows=rows,
            libraries=("torch",),
        )


if __name__ == "__main__":
    main()
