"""Two or more variants, runs or systems side by side, with paired differences from their stored scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genwright.core.claim import Claim, Derivation, Estimate
from genwright.core.errors import SpecError

if TYPE_CHECKING:
    from genwright.project.project import Project

PAIRABLE = ("ratio", "mean", "proportion")


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


def compare(project: "Project", names: Sequence[str], /, *, overrides: Sequence[str] = ()) -> list[Row]:
    """Rows metric by metric; without names, all variants of the matrix.

    Raises:
        SpecError: a name is unknown, or there are fewer than two sides.
    """
    sides = [_side(project, name, overrides) for name in names] or _variants(project, overrides)
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


def _variants(project: "Project", overrides: Sequence[str]) -> list[Side]:
    found = project.current_claims(overrides=overrides)
    return [Side(name or "(single)", _by_metric(claims)) for name, claims in found.items() if claims]


def _side(project: "Project", name: str, overrides: Sequence[str]) -> Side:
    variants = project.current_claims(overrides=overrides)
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


def _rows(project: "Project", sides: Sequence[Side], key: tuple[str, str]) -> list[Row]:
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


def _paired(project: "Project", claim: Claim, first: Claim) -> dict[str, Any]:
    from genwright.measure import derive

    made = claim.derivation
    if made.estimator not in PAIRABLE or made.transform != "identity" or made.interval == "none":
        return {}
    columns = _joined(project, claim, first)
    if columns is None:
        return {}
    roles = {"a": "a", "b": "b"}
    asked = replace(
        made,
        estimator="mean_difference",
        columns=roles,
        where={},
        interval="bootstrap",
        cluster="cluster" if made.cluster else None,
    )
    if made.estimator == "ratio":
        ratio = {"numerator_a": "a", "denominator": "d", "numerator_b": "b", "denominator_b": "e"}
        asked = replace(asked, estimator="ratio_difference", columns=ratio)
    difference = derive(columns, derivation=asked)
    if made.estimator == "ratio":
        columns = {**columns, "a": _divide(columns, "a", "d"), "b": _divide(columns, "b", "e")}
    test = derive(columns, derivation=Derivation("wilcoxon_p", roles))
    return {"difference": difference, "p_holm": test.value}


def _divide(columns: Mapping[str, list[Any]], numerator: str, denominator: str) -> list[Any]:
    pairs = zip(columns[numerator], columns[denominator], strict=True)
    return [a / b if a is not None and b else None for a, b in pairs]


def _joined(project: "Project", claim: Claim, first: Claim) -> dict[str, list[Any]] | None:
    """Both score columns on the units they share, matched by the column `id`; None where that is impossible."""
    from genwright.measure import read_scores

    tables = [read_scores(project.checked_path(c.scores)) for c in (claim, first)]
    if any("id" not in table for table in tables) or first.derivation.estimator != claim.derivation.estimator:
        return None
    there = [_keep(table, c.derivation) for table, c in zip(tables, (claim, first), strict=True)]
    ids = [unit for unit in there[0] if unit in there[1]]
    value, below = ("numerator", "denominator") if claim.derivation.estimator == "ratio" else ("value", None)
    columns: dict[str, list[Any]] = {"id": ids}
    for name, table, kept, made in zip("ab", tables, there, (claim.derivation, first.derivation), strict=True):
        columns[name] = [table[made.columns[value]][kept[unit]] for unit in ids]
        if below:
            columns["d" if name == "a" else "e"] = [table[made.columns[below]][kept[unit]] for unit in ids]
    if claim.derivation.cluster:
        columns["cluster"] = [tables[0][claim.derivation.cluster][there[0][unit]] for unit in ids]
    return columns if ids else None


def _keep(table: Mapping[str, list[Any]], derivation: Derivation) -> dict[Any, int]:
    rows = range(len(table["id"]))
    return {
        table["id"][row]: row
        for row in rows
        if all(table[column][row] == wanted for column, wanted in derivation.where.items())
    }


def _holm(rows: list[Row]) -> list[Row]:
    from genwright.measure import holm

    tested = [index for index, row in enumerate(rows) if row.p_holm is not None]
    adjusted = holm([float(rows[index].p_holm or 0.0) for index in tested]) if tested else []
    for index, p in zip(tested, adjusted, strict=True):
        rows[index] = replace(rows[index], p_holm=float(p))
    return rows
