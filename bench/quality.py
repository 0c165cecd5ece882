"""Quality at a ten-minute budget: both recipes, transformer against LSTM, n-gram and xz on the same held-out documents.

python bench/quality.py FOLDER [NETS]    projects are made in FOLDER, and go on where they were
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report
from genwright.cli.progress import LineProgress
from genwright.project import Finished, Project
from genwright.project.recipes import new_project

BUDGET = 'train.trainer.budget={time = "10m"}'
POLICY = 'name = "any"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n'
# The recipe is tuned for the transformer; the LSTM keeps what serves it better.
NETS = {"transformer": [], "lstm": ["train.family.net.kind=lstm", "train.trainer.optimiser.weight_decay=0.1"]}


def run_recipe(recipe: str, folder: Path, *, nets: Sequence[str]) -> dict[str, Finished]:
    """Each net after its run."""
    if not folder.exists():
        new_project(recipe, folder)
        (folder / "policy.toml").write_text(POLICY)
    project, progress = Project.find(folder), LineProgress(as_json=False)
    return {net: project.run(overrides=[BUDGET, *NETS[net]], progress=progress)[0] for net in nets}


def rows_of(recipe: str, folder: Path, *, nets: Sequence[str]) -> list[dict[str, Any]]:
    """Bits per byte of both nets and the references, and the paired differences."""
    done, rows = run_recipe(recipe, folder, nets=nets), []
    for net, finished in done.items():
        for claim in finished.claims:
            shown = claim.metric in ("bits_per_byte", "bits_per_byte_difference") and "uniform" not in claim.label
            if shown and (net == "transformer" or not claim.label):
                rows.append(_row(f"{recipe}: {claim.label or net}", claim.estimate, claim.metric))
    systems = [next(s.run["outputs"]["system"] for s in f.steps if s.stage.name == "evaluate") for f in done.values()]
    compared = Project.find(folder).compare(systems) if len(systems) > 1 else []
    found = [row.difference for row in compared if row.metric == "bits_per_byte" and not row.label]
    what = f"{recipe}: lstm minus transformer, paired"
    return rows + [_row(what, difference, "bits_per_byte_difference") for difference in found if difference]


def _row(what: str, estimate: Any, metric: str) -> dict[str, Any]:
    value = estimate.value and round(estimate.value, 3)
    interval = [estimate.low and round(estimate.low, 3), estimate.high and round(estimate.high, 3)]
    goal = "interval excludes 0" if metric.endswith("difference") else ""
    return {"what": what, "value": value, "unit": "bit/byte", "interval": interval, "goal": goal, "n": estimate.n}


def main() -> None:
    """Run and write."""
    home = Path(sys.argv[1])
    nets = sys.argv[2].split(",") if len(sys.argv) > 2 else list(NETS)
    recipes = ("python-prose", "python-code")
    rows = [row for recipe in recipes for row in rows_of(recipe, home / recipe, nets=nets)]
    report.write(
        "quality", title="Quality at a ten-minute budget, held-out documents", command="python bench/quality.py FOLDER",
        rows=rows, libraries=("torch",),
    )  # fmt: skip


if __name__ == "__main__":
    main()
