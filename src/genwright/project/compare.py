"""Two or more variants, runs or systems side by side, with paired differences from their stored scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from genwright.core.claim import Claim, Estimate
from genwright.core.errors import SpecError
from genwright.ledger import Ledger

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
    """One metric of one side; `difference` is this side minus the first, paired where the scores allow it."""

    metric: str
    label: str
    unit: str
    side: str
    estimate: Estimate
    difference: Estimate | None = None
    p_holm: float | None = None


def compare(project: Memory, names: Sequence[str], /, *, overrides: Sequence[str] = ()) -> list[Row]:
    """Rows metric by metric; without names, all variants of the matrix.

    Raises:
        SpecError: a name is unknown, or there are fewer than two sides.
    """
    variants = project.current_claims(overrides=overrides)
    sides = [_side(project, name, variants) for name in names] or _variants(variants)
    if len(sides) < 2:
        raise SpecError(
            "compare needs two things",
            hint="genwright compare A B, or a [matrix] in the project file with finished runs",
        )
    shared = [
        key for key, claim in sides[0].claims.items() if claim.headline and any(key in s.claims for s in sides[1:])
    ]
    rows = [row for key in shared for row in _rows(project, sides, key)]
    return _holm(rows)


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
    first, rows = sides[0].claims[key], []
    for side in sides:
        claim = side.claims.get(key)
        if claim is None:
            continue
        row = Row(claim.metric, claim.label, claim.unit, side.name, claim.estimate)
        if side is not sides[0]:
            row = replace(row, **_paired(project, claim, first))
        rows.append(row)
    return rows


def _paired(project: Memory, claim: Claim, first: Claim) -> dict[str, Any]:
    from genwright.measure import derive, pair, read_scores

    new, old = (read_scores(project.checked_path(c.scores)) for c in (claim, first))
    paired = pair(new, claim.derivation, old=old, old_derivation=first.derivation)
    if paired is None:
        return {}
    difference = derive(paired.columns, derivation=paired.difference)
    return {"difference": difference, "p_holm": derive(paired.columns, derivation=paired.test).value}


def _holm(rows: list[Row]) -> list[Row]:
    from genwright.measure import holm

    tested = [index for index, row in enumerate(rows) if row.p_holm is not None]
    adjusted = holm([float(rows[index].p_holm or 0.0) for index in tested]) if tested else []
    for index, p in zip(tested, adjusted, strict=True):
        rows[index] = replace(rows[index], p_holm=float(p))
    return rows
