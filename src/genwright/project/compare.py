"""Two or more variants, runs or systems side by side, with differences: paired where their stored scores allow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from genwright.core.claim import Claim, Estimate
from genwright.core.errors import SpecError
from genwright.ledger import Ledger

EVERY = "(every side)"
REFERENCES = ("reference: ", "baseline: ")  # what stands beside every side, and is not tested
MEASURING = ("evaluate", "answer", "stylise")
Variants = Mapping[str, tuple[Claim, ...]]


class Memory(Protocol):
    """What comparing asks of a project."""

    @property
    def ledger(self) -> Ledger: ...
    def current_claims(self, *, overrides: Sequence[str] = ()) -> Variants: ...
    def checked_path(self, digest: str, /) -> Path: ...


@dataclass(frozen=True)
class Side:
    """One thing to compare: its name and its claims by (metric, label)."""

    name: str
    claims: Mapping[tuple[str, str], Claim]


@dataclass(frozen=True)
class Row:
    """One metric of one side; `difference` is this side minus the first that has the metric under this label.

    `paired` says that it is of the same units; else it is that of two intervals, taken as independent.
    """

    metric: str
    label: str
    unit: str
    side: str
    estimate: Estimate
    difference: Estimate | None = None
    p_holm: float | None = None
    paired: bool = False
    better: str = "neither"


@dataclass(frozen=True)
class Cost:
    """What training a side took; None where the ledger knows no training of it. `energy` says joules and method."""

    side: str
    wall_s: float | None
    cpu_s: float | None
    energy: str
    energy_joules: float | None = None
    energy_method: str = ""


@dataclass(frozen=True)
class Comparison:
    """Rows metric by metric, what each side's training cost, and the folder of its samples where there are some."""

    rows: Sequence[Row]
    costs: Sequence[Cost]
    samples: Mapping[str, Path]


def compare(project: Memory, names: Sequence[str], /, *, overrides: Sequence[str] = ()) -> Comparison:
    """Sides metric by metric; without names, all variants of the matrix.

    A metric is shown where two sides or more have it, and compared under the same label: a bound is not a likelihood.
    A reference that is the same for all sides has one row.

    Raises:
        SpecError: a name is unknown, or there are fewer than two sides.
    """
    variants = project.current_claims(overrides=overrides)
    sides = [_side(project, name, variants) for name in names] or _variants(variants)
    if len(sides) < 2:
        raise SpecError(
            "compare needs two things",
            hint="genwright compare A B, or a [matrix] with finished runs, and the --set that they had",
        )
    keys = dict.fromkeys(key for side in sides for key, claim in side.claims.items() if claim.headline)
    metrics = [{metric for metric, _ in side.claims} for side in sides]
    shared = [key for key in keys if sum(key[0] in own for own in metrics) > 1]
    rows = [row for key in shared for row in _rows(project, sides, key)]
    evaluations = {side.name: _evaluation(project.ledger, side) for side in sides}
    costs = [_cost(project.ledger, name, run) for name, run in evaluations.items()]
    samples = {
        name: project.checked_path(run["outputs"]["samples"])
        for name, run in evaluations.items()
        if run and "samples" in run["outputs"]
    }
    return Comparison(_holm(rows), costs, samples)


def _evaluation(ledger: Ledger, side: Side) -> dict[str, Any] | None:
    """The run that measured the side's system."""
    systems = {claim.subject for claim in side.claims.values()}
    runs = (run for stage in MEASURING for run in ledger.runs(stage=stage))
    return next((run for run in runs if run["outputs"].get("system") in systems), None)


def _cost(ledger: Ledger, name: str, evaluation: Mapping[str, Any] | None) -> Cost:
    model = evaluation["inputs"].get("model") if evaluation else None
    run = next((run for run in ledger.runs(stage="train") if model and model in run["outputs"].values()), None)
    if run is None:
        return Cost(name, None, None, "not known")
    cost, joules, method = run["cost"], run["cost"]["energy"]["joules"], run["cost"]["energy"]["method"]
    return Cost(name, cost["wall_s"], cost["cpu_s"], f"{joules:.4g} J ({method})", joules, method)


def _variants(variants: Variants) -> list[Side]:
    return [Side(name or "(single)", _by_metric(claims)) for name, claims in variants.items() if claims]


def _side(project: Memory, name: str, variants: Variants) -> Side:
    if name in variants:
        return Side(name, _by_metric(variants[name]))
    entry = project.ledger.find(name)
    if entry.kind == "run":
        return Side(name, _by_metric(c for _, c in project.ledger.claims(run=entry.body["id"])))
    subject = entry.body["id"]
    for run in project.ledger.runs(stage="release"):
        if subject in run["outputs"].values():
            subject = run["inputs"]["system"]
    return Side(name, _by_metric(c for _, c in project.ledger.claims(subject=subject)))


def _by_metric(claims: Any) -> dict[tuple[str, str], Claim]:
    return {(claim.metric, claim.label): claim for claim in claims}


def _rows(project: Memory, sides: Sequence[Side], key: tuple[str, str]) -> list[Row]:
    first, rows = next(side.claims[key] for side in sides if key in side.claims), list[Row]()
    for side in sides:
        claim = side.claims.get(key)
        if claim is None:
            continue
        row = Row(claim.metric, claim.label, claim.unit, side.name, claim.estimate, better=claim.better)
        if claim is not first:
            row = replace(row, **_difference(project, claim, first))
        rows.append(row)
    if len(rows) == len(sides) and all(row.estimate == rows[0].estimate for row in rows) and key[1]:
        return [replace(rows[0], side=EVERY)]
    return rows


def _difference(project: Memory, claim: Claim, first: Claim) -> dict[str, Any]:
    from genwright.measure import derive, independent_difference, pair, read_scores

    new, old = (read_scores(project.checked_path(c.scores)) for c in (claim, first))
    paired = pair(new, claim.derivation, old=old, old_derivation=first.derivation)
    if paired is None:
        found = None if claim.label.startswith(REFERENCES) else independent_difference(claim.estimate, first.estimate)
        return {} if found is None else {"difference": found[0], "p_holm": found[1]}
    difference = derive(paired.columns, derivation=paired.difference)
    p = derive(paired.columns, derivation=paired.test).value
    return {"difference": difference, "p_holm": p, "paired": True}


def _holm(rows: list[Row]) -> list[Row]:
    from genwright.measure import holm

    tested = [index for index, row in enumerate(rows) if row.p_holm is not None]
    adjusted = holm([float(rows[index].p_holm or 0.0) for index in tested]) if tested else []
    for index, p in zip(tested, adjusted, strict=True):
        rows[index] = replace(rows[index], p_holm=float(p))
    return rows
