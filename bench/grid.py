"""Every family over every modality at one budget of processor time: `python bench/grid.py FOLDER [BUDGET]`.

From the recipes. Writes `bench/results/grid.json`, which `python docs/generate.py` turns into `docs/grid.md`. A cell
that is there is not run again, so a run that was stopped goes on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import genwright
import report
from genwright.core.errors import GenwrightError
from genwright.project.machine import machine_facts
from genwright.project.recipes import new_project

RESULTS = Path(__file__).parent / "results" / "grid.json"
PICTURES = Path(__file__).parents[1] / "docs" / "grid"
FAMILIES = ("autoregressive", "vae", "gan", "diffusion")
# The recipe of each modality and the metric that says most.
RECIPES = {
    "text": ("prose-passages", "c2st_auc"),
    "image": ("fashion-images", "frechet_ratio"),
    "table": ("synthetic-patients", "c2st_auc"),
    "molecule": ("molecule-design", "frechet_chemnet_distance"),
    "music": ("chorales", "c2st_auc"),
}
# Families that a recipe names with settings of their own keep them; pictures are read pixel by pixel only as codes.
CHOICES: dict[tuple[str, str], str] = {
    ("image", "autoregressive"): '{kind="latent", prior="autoregressive", autoencoder={quantiser="vq", width=16}}',
    ("image", "gan"): '{kind="latent", prior="gan", autoencoder={width=16}}',
    ("image", "diffusion"): '{kind="latent", prior="diffusion", autoencoder={width=16}}',
}
SIZES = ("data.max_samples=12000", "evaluate.num_samples=1000", "project.threads=1")
FLOOR = "reference: other real samples"
# The Fréchet ratio of other real samples is 1 by definition; what it is a ratio to is their distance.
OF_FLOOR = {"frechet_ratio": "frechet_distance"}
DRAWN = ("image", "music")
WRITTEN = (".jsonl", ".smi", ".csv", ".txt")


def cell(modality: str, family: str, *, folder: Path, budget: str) -> dict[str, Any]:
    """The claims of one cell; the error in words where it cannot be run."""
    recipe, metric = RECIPES[modality]
    root = folder / recipe
    if not root.exists():
        new_project(recipe, root)
    chosen = CHOICES.get((modality, family), family)
    project = genwright.open(root)
    overrides = [report.budget(budget), f"train.family={chosen}", *SIZES]
    found: dict[str, Any] = {"modality": modality, "family": family, "recipe": recipe, "set": chosen, "budget": budget}
    try:
        (done,) = project.run(["evaluate"], overrides=overrides)
    except GenwrightError as error:
        return found | {"error": error.message}
    claims = {(claim.metric, claim.label): claim for claim in done.claims}
    wanted = [("legal_share", ""), (metric, ""), (OF_FLOOR.get(metric, metric), FLOOR), ("new_share", "")]
    wanted += [key for key in claims if key[0] == metric and key[1].startswith("baseline: ")]
    wanted += [key for key in claims if key[0] == "negative_log_likelihood"]
    found["claims"] = [
        {"metric": key[0], "of": key[1], "unit": claims[key].unit, **vars(claims[key].estimate)}
        for key in wanted
        if key in claims
    ]
    runs = {step.stage.name: step.run for step in done.steps if step.run}
    found["training"] = {name: runs["train"]["cost"][name] for name in ("wall_s", "cpu_s", "energy")}
    samples = project.ledger.store.path(runs["evaluate"]["outputs"]["samples"])
    return found | {"sample": _sample(samples, modality, family)}


def _sample(folder: Path, modality: str, family: str) -> str:
    """The first sample in words, or the name of the picture that shows some."""
    if modality in DRAWN:
        source = next(folder.glob("preview.*"))
        PICTURES.mkdir(exist_ok=True)
        target = PICTURES / f"{modality}-{family}{source.suffix}"
        target.write_bytes(source.read_bytes())
        return target.name
    written = next(path for path in sorted(folder.iterdir()) if path.suffix in WRITTEN)
    lines = written.read_text(encoding="utf-8").splitlines()[written.suffix == ".csv" :]
    return next((line[:160] for line in lines if line.strip()), "")


def main() -> None:
    """Cell by cell, the file written after each. A cell without a sample is asked for again."""
    folder, budget = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "60s"
    known: list[dict[str, Any]] = json.loads(RESULTS.read_text())["cells"] if RESULTS.is_file() else []
    whole = [one for one in known if one["budget"] == budget and one.get("sample")]
    cells = {(one["modality"], one["family"]): one for one in whole}
    for modality in RECIPES:
        for family in FAMILIES:
            if (modality, family) not in cells:
                cells[modality, family] = cell(modality, family, folder=folder, budget=budget)
            body = {"machine": machine_facts(), "budget": budget, "cells": list(cells.values())}
            RESULTS.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(modality, family, cells[modality, family].get("error", "done"), flush=True)


if __name__ == "__main__":
    main()
