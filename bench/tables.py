"""Families over two real tables at equal budgets of CPU seconds: `python bench/tables.py FOLDER [SEED...]`.

49 % of the rows measure, 48 % train, and as many rows are made as measure. Writes `bench/results/tables.json` after
each cell; what has been measured is not measured again.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

import genwright
import report
from genwright.core import component
from genwright.core.protocols import Candidate
from genwright.families.store import build_family, load_family
from genwright.measure.derive import derive
from genwright.measure.scores import read_scores
from genwright.modalities.codec import load_codec
from genwright.modalities.dataset import read_rows
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.metrics import measure
from genwright.systems.rows import RowSystem
from genwright.trainer.rows import RowFeed
from lazyload import frame

FLCHAIN = "package:scikit-survival==0.28.0!sksurv/datasets/data/flchain.arff"
CHURN = "deb:r-cran-modeldata!usr/lib/R/site-library/modeldata/data/Rdata.*"
TARGETS = {"flchain": "death", "churn": "churn"}
# What keeps the net from learning the few thousand rows by heart.
LARGE_BATCH = "train.trainer.batch_samples=256"
ANY_ORDER = "{kind = 'autoregressive', net = {kind = 'transformer', dropout = 0.4}}"
# `train.family`, CPU seconds of training, more settings, and the two-sample AUC that was to be reached, by table.
CELLS: dict[str, tuple[str, int, tuple[str, ...], dict[str, float]]] = {
    "VAE": ("vae", 29, ("train.trainer.batch_samples=128",), {"flchain": 0.75, "churn": 0.75}),
    "GAN in the latent": (
        "gan",
        35,
        ("train.trainer.batch_samples=128",),
        {"flchain": 0.80, "churn": 0.80},
    ),
    "GAN over columns": ("gan", 35, ("fit.codec=table-vector",), {"flchain": 0.80, "churn": 0.80}),
    "autoregressive": (ANY_ORDER, 60, (LARGE_BATCH,), {"flchain": 0.58, "churn": 0.62}),
    "diffusion": ("diffusion", 120, ("train.trainer.batch_samples=128",), {"flchain": 0.60, "churn": 0.62}),
}
FITTED = ("latent-class", "cart")
METRICS = {"c2st_auc": "at most {}", "tstr_difference": "at least -0.02", "membership_auc": "at most 0.52"}
SPEC = """[project]
name = "{name}"
modality = "table"
[[data.sources]]
path = "{name}.csv"
[data.split]
validation = 0.03
test = 0.49
[fit]
[train]
family = "autoregressive"
size = "nano"
[train.trainer.validation]
times = 4
"""
CALIBRATION_STEPS = 60


def prepare(name: str, folder: Path) -> genwright.Project:
    """The project over that table, with its CSV file."""
    root = folder / name
    if not (root / "genwright.toml").is_file():
        root.mkdir(parents=True, exist_ok=True)
        columns = {"flchain": flchain, "churn": churn}[name](root)
        with (root / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        (root / "genwright.toml").write_text(SPEC.format(name=name))
    return genwright.open(root)


def flchain(root: Path) -> dict[str, list[Any]]:
    """Blood tests and survival (Dispenzieri et al. 2012), without the cause of death."""
    (file,) = list_files(FilesConfig(path=FLCHAIN), root=root)
    lines = file.path.read_text().splitlines()
    names = [line.split()[1] for line in lines if line.startswith("@attribute")]
    rows = csv.reader((line for line in lines if line and not line.startswith(("@", "%"))), quotechar="'")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return {name.replace(".", "_"): cells for name, cells in columns.items() if name != "chapter"}


def churn(root: Path) -> dict[str, list[Any]]:
    """Customers of a telephone company, `wa_churn` of the R package modeldata."""
    files = {file.path.suffix: file.path.read_bytes() for file in list_files(FilesConfig(path=CHURN), root=root)}
    found = frame(files[".rdx"], files[".rdb"], "wa_churn")
    return {name: ["" if cell is None else cell for cell in cells] for name, cells in found.items()}


def trained(project: genwright.Project, family: str, seed: int) -> tuple[RowSystem, Path, float, int]:
    """The system, its dataset, the CPU seconds of its steps, and how many these were."""
    kind, seconds, settings, _ = CELLS[family]

    def run(steps: int) -> tuple[dict[str, Any], list[float]]:
        overrides = [f"train.family={kind}", f"project.seed={seed}", "project.threads=1", *settings]
        overrides.append(f"train.trainer.budget={{steps = {steps}}}")
        (done,) = project.run(["train"], overrides=overrides)
        made = {key: value for step in done.steps for key, value in (step.run or {}).get("outputs", {}).items()}
        log = read_scores(project.ledger.store.path(made["training_log"]))
        return made, [float(value) for value in log["step_cpu_seconds"]]

    each = sum(run(CALIBRATION_STEPS)[1]) / CALIBRATION_STEPS
    made, spent = run(int(seconds / each))
    path = project.ledger.store.path
    system = RowSystem(load_family(path(made["model"])), codec=load_codec(path(made["codec"])))
    return system, path(made["dataset"]), sum(spent), int(seconds / each)


def fitted(family: str, train: pa.Table, seed: int) -> RowSystem:
    """A baseline on the same rows."""
    entry = component("codecs", "table-bins")
    codec = entry.load().fit(entry.config.parse({"kind": "table-bins"}, where="codec"), rows=[train])
    config: Any = component("families", family).config.parse({"kind": family}, where="family")
    built = build_family(config.resolve(depth=1, shape=codec.shape), shape=codec.shape, seed=seed)
    feed = RowFeed(codec.encode(train), shape=codec.shape, seed=0, device="cpu", shuffle=False)
    built.fit(feed.all_batches(size=512), rng=torch.Generator().manual_seed(seed))
    return RowSystem(built, codec=codec)


def measured(name: str, what: str, rows: pa.Table, splits: dict[str, pa.Table], **more: Any) -> list[dict[str, Any]]:
    """One line per metric: an estimate with its interval."""
    body = rows.drop_columns([one for one in ("id", "group") if one in rows.column_names])
    found = measure(
        [Candidate("system", "", body)],
        train=splits["train"],
        test=splits["test"],
        config=TableMetricsConfig(target=TARGETS[name]),
        seed=0,
    )
    lines = []
    for draft in found.drafts:
        if draft.metric in METRICS or draft.metric == "tstr_auc":
            one = derive(found.columns, derivation=draft.derivation)
            interval = [one.low and round(one.low, 3), one.high and round(one.high, 3)]
            goal = METRICS.get(draft.metric, "") if "goal" in more else ""
            line = {"what": f"{name}: {what}", "unit": draft.metric, "value": one.value and round(one.value, 3)}
            extra = {key: value for key, value in more.items() if key != "goal"}
            lines.append({**line, "interval": interval, "goal": goal.format(more.get("goal", "")), "n": one.n, **extra})
    return lines


def references(name: str, splits: dict[str, pa.Table]) -> list[dict[str, Any]]:
    """Other real rows, a copy of train, and the baselines."""
    train, n = splits["train"], len(splits["test"])
    again = train.take(pa.array(np.random.default_rng(0).integers(len(train), size=n)))
    lines = measured(name, "other real rows", train.slice(0, n), splits)
    lines += measured(name, "train rows drawn again", again, splits)
    for family in FITTED:
        lines += measured(name, family, fitted(family, train, 1).sample(n, seed=1), splits)
    return lines


def shuffled(dataset: Path, split: str) -> pa.Table:
    """All rows of a split, in random order."""
    rows = read_rows(dataset, split=split)
    return rows.take(pa.array(np.random.default_rng(0).permutation(len(rows))))


def main() -> None:
    """Cell by cell, seed by seed."""
    folder, seeds = Path(sys.argv[1]).absolute(), [int(one) for one in sys.argv[2:]] or [1]
    notes = folder / "cells.json"
    folder.mkdir(parents=True, exist_ok=True)
    cells: dict[str, list[dict[str, Any]]] = json.loads(notes.read_text()) if notes.is_file() else {}
    for seed in seeds:
        for family, (_, seconds, _, goals) in CELLS.items():
            for name in TARGETS:
                key = f"{name} {family} {seed}"
                if key in cells:
                    continue
                system, dataset, spent, steps = trained(prepare(name, folder), family, seed)
                splits = {split: shuffled(dataset, split) for split in ("train", "test")}
                if f"{name} references" not in cells:
                    cells[f"{name} references"] = references(name, splits)
                rows = system.sample(len(splits["test"]), seed=seed)
                what = f"{family}, {seconds} CPU-s, seed {seed}"
                cells[key] = measured(name, what, rows, splits, goal=goals[name], cpu_s=round(spent, 1), steps=steps)
                notes.write_text(json.dumps(cells))
                write(cells)


def write(cells: dict[str, list[dict[str, Any]]]) -> None:
    """The results file, references first."""
    order = sorted(cells, key=lambda key: (key.split()[0], "references" not in key, key))
    report.write(
        "tables",
        title="Tables: families at budgets of CPU seconds, 49 % of the rows held out",
        command="python bench/tables.py FOLDER",
        rows=[line for key in order for line in cells[key]],
        libraries=("torch", "scikit-learn"),
    )


if __name__ == "__main__":
    main()
