"""Commands that move a system on: new, run, plan."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from genwright.cli.evidence import claim_rows, use_of
from genwright.cli.output import Output
from genwright.cli.progress import make_progress
from genwright.core.claim import Claim
from genwright.core.errors import GateError
from genwright.core.registry import load_reference
from genwright.project import Finished, Project, is_follower
from genwright.project.recipes import new_project, recipes

MINUS = "system minus "


def new(arguments: argparse.Namespace, out: Output) -> int:
    """Copy a recipe into a new folder."""
    if arguments.recipe is None:
        out.table([{"recipe": name, "folder": str(path)} for name, path in recipes().items()], title="recipes")
        return 0
    folder = new_project(arguments.recipe, Path(arguments.folder or Path(arguments.recipe).name))
    if out.as_json:
        out.value({"folder": str(folder)})
    out.note(f"made {folder}\nnext: cd {folder} && genwright run")
    return 0


def plan(arguments: argparse.Namespace, out: Output) -> int:
    """Show what a run would do."""
    project = Project.find(arguments.project)
    rows = [
        {
            "variant": made.spec.variant or "-",
            "stage": step.stage.name,
            "state": step.state,
            "why": step.why,
            "comes to": load_reference(step.stage.summary)(made.spec.stages) if step.stage.summary else "",
            "key": (step.key or "")[:12],
            "run": str(step.run["id"])[:12] if step.run else "",
        }
        for made in project.plan(arguments.stages, overrides=arguments.overrides)
        for step in made.steps
    ]
    out.table(rows, title="plan")
    return 0


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Run stages, then show the claims and gates."""
    project = Project.find(arguments.project)
    if is_follower():
        project.run(arguments.stages, overrides=arguments.overrides, again=arguments.again)
        return 0
    progress = make_progress(as_json=out.as_json)
    try:
        done = project.run(arguments.stages, overrides=arguments.overrides, again=arguments.again, progress=progress)
    except GateError:
        _show_gates(project, out)
        raise
    if out.as_json:
        out.value([_finished_json(finished) for finished in done])
        return 0
    for finished in done:
        title = f"claims of {finished.variant}" if finished.variant else "claims"
        out.table(claim_rows(claim for claim in finished.claims if claim.headline), title=title)
        for line in standing(finished.claims):
            out.note(line)
    _show_gates(project, out, systems={_output(finished, "system") for finished in done})
    for finished in done:
        release, system = _output(finished, "release"), _output(finished, "system")
        if release:
            out.note(f"released {release[:12]}; {use_of(project, release)}")
        elif system:
            out.note(f"made system {system[:12]}, not released; {use_of(project, system, more=' --unreleased')}")
    return 0


def standing(claims: Iterable[Claim]) -> list[str]:
    """Where a system stands beside its references, in words, by the intervals of its paired differences.

    >>> standing([])
    []
    """
    found: dict[str, list[str]] = {}
    for claim in claims:
        low, high = claim.estimate.low, claim.estimate.high
        beside = claim.label.startswith(MINUS) and claim.metric.endswith("_difference")
        if beside and low is not None and high is not None:
            side = (
                "level with"
                if low <= 0 <= high
                else "ahead of"
                if (high < 0) == (claim.better == "lower")
                else "behind"
            )
            found.setdefault(side, []).append(claim.label.removeprefix(MINUS))
    return [f"the system is {side}: {'; '.join(names)}" for side, names in found.items()]


def _output(finished: Finished, slot: str) -> str | None:
    found = [step.run["outputs"].get(slot) for step in finished.steps if step.run]
    return next((digest for digest in found if digest), None)


def _finished_json(finished: Finished) -> dict[str, object]:
    return {
        "variant": finished.variant,
        "steps": [
            {
                "stage": step.stage.name,
                "state": step.state,
                "run": step.run and step.run["id"],
                "outputs": step.run and step.run["outputs"],
            }
            for step in finished.steps
        ],
        "claims": [claim.to_json() for claim in finished.claims],
    }


def _show_gates(project: Project, out: Output, systems: Iterable[str | None] | None = None) -> None:
    wanted = None if systems is None else set(systems)
    found = [v for v in project.verdicts() if wanted is None or v["system"] in wanted]
    if not found or out.as_json:
        return
    latest = {verdict["system"]: verdict for verdict in (found if wanted is not None else found[-1:])}
    for verdict in latest.values():
        rows = [
            {
                "gate": gate["asks"],
                "claim": str(gate["claim"] or "")[:12],
                "found": gate["found"],
                "passed": "yes" if gate["passed"] else "NO",
            }
            for gate in verdict["gates"]
        ]
        out.table(rows, title=f"gates of policy '{verdict['policy_name']}' on system {verdict['system'][:12]}")
