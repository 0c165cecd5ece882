"""Quality at a ten-minute budget: transformer against LSTM, n-gram and xz on the same held-out documents.

python bench/quality.py RECIPE FOLDER [BUDGET THREADS]    the project is made in FOLDER, and goes on where it was
"""

import sys
from pathlib import Path
from typing import Any

import report
from genwright.cli.progress import LineProgress
from genwright.project import Finished, Project
from genwright.project.recipes import new_project

POLICY = 'name = "any"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n'
# Each net as it did best on the validation split of that recipe.
NETS: dict[str, dict[str, list[str]]] = {
    "python-prose": {"transformer": [], "lstm": ['train.family.net={kind = "lstm", d_model = 320}']},
    "python-code": {"transformer": [], "lstm": ['train.family.net={kind = "lstm"}']},
}


def run_recipe(recipe: str, folder: Path, *, budget: str, threads: str) -> dict[str, Finished]:
    """Each net after its run."""
    if not folder.exists():
        new_project(recipe, folder)
        (folder / "policy.toml").write_text(POLICY)
    project, progress = Project.find(folder), LineProgress(as_json=False)
    shared = [f'train.trainer.budget={{time = "{budget}"}}', f"project.threads={threads}"]
    return {net: project.run(overrides=[*shared, *own], progress=progress)[0] for net, own in NETS[recipe].items()}


def rows_of(recipe: str, folder: Path, *, done: dict[str, Finished]) -> list[dict[str, Any]]:
    """Bits per byte of both nets and the references, and the paired differences."""
    rows = []
    for net, finished in done.items():
        for claim in finished.claims:
            shown = claim.metric in ("bits_per_byte", "bits_per_byte_difference") and "uniform" not in claim.label
            if shown and (net == "transformer" or not claim.label):
                rows.append(_row(f"{recipe}: {claim.label or net}", claim.estimate, claim.metric))
    systems = [next(s.run["outputs"]["system"] for s in f.steps if s.stage.name == "evaluate") for f in done.values()]
    compared = Project.find(folder).compare(systems).rows if len(systems) > 1 else []
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
    recipe, folder, (budget, threads) = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or ["10m", "2"])
    done = run_recipe(recipe, folder, budget=budget, threads=threads)
    report.write(
        f"quality-{recipe.removeprefix('python-')}",
        title=f"{recipe}: quality at a budget of {budget} on {threads} threads, held-out documents",
        command=f"python bench/quality.py {recipe} FOLDER {budget} {threads}",
        rows=rows_of(recipe, folder, done=done),
        libraries=("torch",),
    )


if __name__ == "__main__":
    main()
