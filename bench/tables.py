"""Families over two real tables at budgets of CPU seconds, beside peers.

    python bench/tables.py FOLDER [--seeds 1 2 3] [--families NAME ...] [--peers PYTHON] [--argn PYTHON]

49 % of the rows measure, 48 % train, and as many rows are made as measure. `--peers` is an interpreter with `sdv`,
`--argn` one with `mostlyai-engine` (their requirements clash); both are fitted on the same rows, between our cells.
Writes `bench/results/tables.json` after each cell; what has been measured is not measured again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
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
TREES = "{kind = 'autoregressive', net = {kind = 'trees'}}"
MASKED = "{kind = 'diffusion', net = {kind = 'mlp', dropout = 0.4}}"
MASKED_TREES = "{kind = 'diffusion', net = {kind = 'masked-trees'}}"
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
    "autoregressive, trees": (TREES, 60, (), {"flchain": 0.58, "churn": 0.62}),
    "diffusion, trees": (MASKED_TREES, 120, (), {"flchain": 0.60, "churn": 0.62}),
    "diffusion": (MASKED, 120, (LARGE_BATCH,), {"flchain": 0.60, "churn": 0.62}),
}
FITTED = ("latent-class", "cart")
PEERS = ("SDV CTGAN", "SDV TVAE", "SDV GaussianCopula")
ARGN, ARGN_SECONDS = "TabularARGN", 60
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


def trained(project: genwright.Project, family: str, seed: int) -> tuple[RowSystem, float]:
    """The system, and the CPU seconds of its training."""
    kind, seconds, settings, _ = CELLS[family]
    overrides = [f"train.family={kind}", f"project.seed={seed}", "project.threads=1", *settings]
    (done,) = project.run(["train"], overrides=[*overrides, report.budget(f"{seconds}s")])
    made = {key: value for step in done.steps for key, value in (step.run or {}).get("outputs", {}).items()}
    path = project.ledger.store.path
    spent = max(read_scores(path(made["training_log"]))["cpu_seconds"])
    return RowSystem(load_family(path(made["model"])), codec=load_codec(path(made["codec"]))), float(spent)


def of_peer(python: str, name: str, train: pa.Table, n: int, seed: int, folder: Path) -> tuple[pa.Table, float]:
    """Rows of a peer that was fitted on the same rows, and its CPU seconds."""
    source, target = folder / "peer_train.csv", folder / "peer_made.csv"
    own = bare(train)
    pc.write_csv(own, source)
    script = Path(__file__).with_name("table_peers.py")
    words = [python, str(script), name, str(source), str(n), str(seed), str(target), str(ARGN_SECONDS)]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    numbers = {field.name: pa.float64() for field in own.schema if pa.types.is_integer(field.type)}
    others = {field.name: field.type for field in own.schema if field.name not in numbers}
    read = pc.ConvertOptions(column_types={**others, **numbers}, strings_can_be_null=True)
    made = pc.read_csv(target, convert_options=read)
    for name_ in numbers:
        place = made.column_names.index(name_)
        whole = np.round(made[name_].to_numpy())
        made = made.set_column(place, name_, pa.array(np.nan_to_num(whole).astype(np.int64), mask=np.isnan(whole)))
    return made, float(json.loads(out.strip().splitlines()[-1])["cpu_s"])


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
    found = measure(
        [Candidate("system", "", bare(rows))],
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


def bare(rows: pa.Table) -> pa.Table:
    """The columns of the table itself."""
    return rows.drop_columns([one for one in ("id", "group") if one in rows.column_names])


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


def splits_of(project: genwright.Project, seed: int) -> dict[str, pa.Table]:
    """The rows that train and those that measure under that seed, in random order."""
    (done,) = project.run(["data"], overrides=[f"project.seed={seed}"])
    dataset = project.ledger.store.path(next(s.run["outputs"]["dataset"] for s in done.steps if s.run))
    return {split: shuffled(dataset, split) for split in ("train", "test")}


def main() -> None:
    """Cell by cell, seed by seed, ours and the peers' in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--families", nargs="+", default=list(CELLS))
    parser.add_argument("--peers")
    parser.add_argument("--argn")
    given = parser.parse_args()
    folder = given.folder.absolute()
    notes = folder / "cells.json"
    folder.mkdir(parents=True, exist_ok=True)
    cells: dict[str, list[dict[str, Any]]] = json.loads(notes.read_text()) if notes.is_file() else {}
    peers = [(one, given.peers) for one in PEERS if given.peers] + [(ARGN, given.argn)] * bool(given.argn)

    def keep(key: str, make: Callable[..., list[dict[str, Any]]], *told: Any) -> None:
        if key not in cells:
            cells[key] = make(*told)
            notes.write_text(json.dumps(cells))
            write(cells)

    for seed in given.seeds:
        for name in TARGETS:
            project = prepare(name, folder)
            splits = splits_of(project, seed)
            keep(f"{name} references", references, name, splits)
            for at in range(max(len(given.families), len(peers))):
                for family in given.families[at : at + 1]:
                    keep(f"{name} {family} {seed}", cell, project, name, family, seed, splits)
                for peer, python in peers[at : at + 1]:
                    keep(f"{name} {peer} {seed}", beside, python, name, peer, seed, splits, folder)


def cell(
    project: genwright.Project, name: str, family: str, seed: int, splits: dict[str, pa.Table]
) -> list[dict[str, Any]]:
    """One family with one seed."""
    _, seconds, _, goals = CELLS[family]
    system, spent = trained(project, family, seed)
    rows = system.sample(len(splits["test"]), seed=seed)
    return measured(
        name, f"{family}, {seconds} CPU-s, seed {seed}", rows, splits, goal=goals[name], cpu_s=round(spent, 1)
    )


def beside(
    python: str, name: str, peer: str, seed: int, splits: dict[str, pa.Table], folder: Path
) -> list[dict[str, Any]]:
    """One peer with one seed."""
    rows, spent = of_peer(python, peer, splits["train"], len(splits["test"]), seed, folder)
    return measured(name, f"peer {peer}, {spent:.0f} CPU-s, seed {seed}", rows, splits, cpu_s=spent)


def write(cells: dict[str, list[dict[str, Any]]]) -> None:
    """The results file, by table, references first."""
    order = sorted(cells, key=lambda key: (key.split()[0], "references" not in key, key))
    report.write(
        "tables",
        title="Tables: families at budgets of CPU seconds, 49 % of the rows held out",
        command="python bench/tables.py FOLDER --seeds 1 2 3 --peers PEERS --argn ARGN",
        rows=[line for key in order for line in cells[key]],
        libraries=("torch", "scikit-learn"),
    )


if __name__ == "__main__":
    main()
