"""Commands that read the ledger: status, show, claims, compare, verify, gc. None imports torch; most not even numpy."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genwright.cli.output import Output
from genwright.cli.progress import make_progress
from genwright.core.claim import Claim
from genwright.core.errors import IntegrityError
from genwright.core.registry import modality_component
from genwright.project import Project
from genwright.project.report import difference_cells, estimate_text, write_report


def use_of(project: Project, digest: str, /, *, more: str = "") -> str:
    """What a person does with a release of the project's modality; with a system, `serve` takes `more`."""
    spec = project.specs()[0]
    modality = modality_component(spec.project.modality)
    if "stylise" in spec.stages:
        return f"draw with: genwright style CONTENT STYLE --system {digest[:12]} --out FILE.png"
    if modality.documents:
        return f"ask it with: genwright ask QUESTION --system {digest[:12]}, or genwright serve {digest[:12]}{more}"
    if modality.of_texts:
        return f"serve it with: genwright serve {digest[:12]}{more}"
    return f"draw samples with: genwright generate --system {digest[:12]} --num 10 --out DIR"


def claim_rows(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """Table rows of claims."""
    return [
        {
            "metric": claim.metric,
            "of": claim.label or "system",
            "value": estimate_text(claim.estimate),
            "unit": claim.unit,
            "n": claim.estimate.n,
            "claim": claim.id[:12],
        }
        for claim in claims
    ]


def claims(arguments: argparse.Namespace, out: Output) -> int:
    """List claims, newest last."""
    project = Project.find(arguments.project)
    run = project.ledger.find(arguments.run).body["id"] if arguments.run else None
    found = project.ledger.claims(run=run, metric=arguments.metric, limit=arguments.limit, before=arguments.before)
    if out.as_json:
        out.value([{"seq": seq, **claim.to_json()} for seq, claim in found])
        return 0
    chosen = [(seq, claim) for seq, claim in found if claim.headline or arguments.everything]
    rows = [{**row, "row": seq} for (seq, _), row in zip(chosen, claim_rows(c for _, c in chosen), strict=True)]
    out.table(rows, title="claims", empty="no claims yet: genwright run")
    total = project.ledger.entries.count("claim")
    if total > len(found) and found:
        out.note(f"{len(found)} of {total} claims; older ones: genwright claims --before {found[0][0]}")
    return 0


def status(arguments: argparse.Namespace, out: Output) -> int:
    """Stages of each variant, the newest release, and what all runs have cost."""
    project = Project.find(arguments.project)
    state = project.status(overrides=arguments.overrides)
    if out.as_json:
        out.value(state)
        return 0
    out.table(state["stages"], title=f"{state['project']} ({project.root})")
    out.note(
        f"{state['runs']} runs, {state['claims']} claims, {state['artifacts']} artifacts; "
        f"{state['wall_s']:.0f} s and about {state['energy_joules'] / 3600:.2f} Wh in the newest {state['costed_runs']}"
    )
    release = state["release"]
    out.note(f"newest release: {release[:12]}; {use_of(project, release)}" if release else "nothing released yet")
    return 0


def show(arguments: argparse.Namespace, out: Output) -> int:
    """Everything the ledger holds about one id."""
    out.value(Project.find(arguments.project).show(arguments.id))
    return 0


def diff(arguments: argparse.Namespace, out: Output) -> int:
    """How one artifact differs from another, file by file."""
    lines = Project.find(arguments.project).diff(arguments.a, arguments.b)
    if out.as_json:
        out.value(lines)
    else:
        out.text("\n".join(lines) or "no difference")
    return 0


def compare(arguments: argparse.Namespace, out: Output) -> int:
    """Sides by metric, with differences, paired where they can be, and Holm-corrected p-values."""
    project = Project.find(arguments.project)
    found = project.compare(arguments.sides, overrides=arguments.overrides)
    if arguments.out:
        page = write_report(found, Path(arguments.out), title=f"Comparison: {project.root.name}")
        out.note(f"wrote {page}")
    if out.as_json:
        out.value(found)
        return 0
    rows = [
        {
            "metric": row.metric,
            "of": row.label or "system",
            "side": row.side,
            "value": estimate_text(row.estimate),
            "unit": row.unit,
            **difference_cells(row),
        }
        for row in found.rows
    ]
    out.table(rows, title="comparison; differences are to the first side")
    shown = ("side", "wall_s", "cpu_s", "energy")
    out.table([{name: getattr(cost, name) for name in shown} for cost in found.costs], title="what training took")
    return 0


def verify(arguments: argparse.Namespace, out: Output) -> int:
    """Hash all again, derive all again; name every fault."""
    found = Project.find(arguments.project).verify(progress=make_progress(as_json=out.as_json))
    if out.as_json:
        out.value(found)
    else:
        for problem in found.problems:
            out.text(f"FAULT {problem}")
        out.text(f"checked {found.rows} rows, {found.artifacts} artifacts, {found.claims} claims")
    if found.problems:
        raise IntegrityError(f"{len(found.problems)} faults found", hint="restore the named files from a backup")
    return 0


def gc(arguments: argparse.Namespace, out: Output) -> int:
    """Say what can go; with --yes, free it."""
    project = Project.find(arguments.project)
    garbage = project.garbage()
    rows = [{"artifact": digest[:12], "kind": kind, "bytes": size} for digest, kind, size in garbage.artifacts]
    rows += [{"artifact": name[:12], "kind": "work folder", "bytes": None} for name in garbage.work]
    out.table(rows, title="to be freed", empty="nothing to free")
    if rows and arguments.yes:
        out.note(f"freed {project.collect(garbage):,} bytes")
    elif rows:
        out.note(f"{garbage.size_bytes:,} bytes; genwright gc --yes frees them")
    return 0
