"""Quality at a ten-minute budget: both recipes, transformer against LSTM, n-gram and xz on the same held-out documents.

python bench/quality.py FOLDER [RECIPE ...]    projects are made in FOLDER, and go on where they were
"""

import sys
from pathlib import Path
from typing import Any

import report
from genwright.cli.progress import LineProgress
from genwright.project import Project
from genwright.project.recipes import new_project

BUDGET = "10m"
POLICY = 'name = "any"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n'
MATRIX = '\n[matrix]\n"train.family.net.kind" = ["transformer", "lstm"]\n'


def run_recipe(recipe: str, folder: Path) -> Project:
    """The project after both variants have run."""
    if not folder.exists():
        new_project(recipe, folder)
        (folder / "policy.toml").write_text(POLICY)
        spec = folder / "genwright.toml"
        spec.write_text(spec.read_text() + MATRIX)
    project = Project.find(folder)
    project.run(overrides=[f'train.trainer.budget={{time = "{BUDGET}"}}'], progress=LineProgress(as_json=False))
    return project


def rows_of(recipe: str, project: Project) -> list[dict[str, Any]]:
    """Bits per byte of both nets and the references, and the paired differences."""
    overrides = [f'train.trainer.budget={{time = "{BUDGET}"}}']
    rows = []
    for variant, claims in project.current_claims(overrides=overrides).items():
        net = variant.rpartition("=")[2]
        for claim in claims:
            shown = claim.metric in ("bits_per_byte", "bits_per_byte_difference") and "uniform" not in claim.label
            if shown and (net == "transformer" or not claim.label):
                rows.append(_row(f"{recipe}: {claim.label or net}", claim.estimate, claim.metric))
    found = [row for row in project.compare(overrides=overrides) if row.metric == "bits_per_byte" and not row.label]
    paired = [row.difference for row in found if row.difference is not None]
    what = f"{recipe}: lstm minus transformer, paired"
    return rows + [_row(what, difference, "bits_per_byte_difference") for difference in paired]


def _row(what: str, estimate: Any, metric: str) -> dict[str, Any]:
    value = estimate.value and round(estimate.value, 3)
    interval = [estimate.low and round(estimate.low, 3), estimate.high and round(estimate.high, 3)]
    goal = "interval excludes 0" if metric.endswith("difference") else ""
    return {"what": what, "value": value, "unit": "bit/byte", "interval": interval, "goal": goal, "n": estimate.n}


def main() -> None:
    """Run and write."""
    home = Path(sys.argv[1])
    recipes = sys.argv[2:] or ["python-prose", "python-code"]
    rows = [row for recipe in recipes for row in rows_of(recipe, run_recipe(recipe, home / recipe))]
    report.write(
        "quality", title=f"Quality at a {BUDGET} budget, held-out documents", command="python bench/quality.py FOLDER",
        rows=rows, libraries=("torch",), budget=BUDGET,
    )  # fmt: skip


if __name__ == "__main__":
    main()
