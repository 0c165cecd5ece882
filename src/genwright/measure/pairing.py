"""Two score tables of the same units, joined so that differences are paired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genwright.core.claim import Derivation

PAIRABLE = ("ratio", "mean", "proportion")
Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Paired:
    """A joined table (`id`, `a`, `b`; for ratios `d`, `e`; with clusters `cluster`) and what to derive from it."""

    columns: dict[str, list[Any]]
    difference: Derivation
    test: Derivation


def pair(new: Columns, new_derivation: Derivation, /, *, old: Columns, old_derivation: Derivation) -> Paired | None:
    """New and old on the units both have, matched by the column `id`; None where they cannot be paired.

    The difference is new minus old, by bootstrap over units (clusters where the new derivation has them);
    the test is Wilcoxon's signed rank on the values per unit.
    """
    made = new_derivation
    fits = made.estimator in PAIRABLE and made.estimator == old_derivation.estimator and made.transform == "identity"
    if not fits or "id" not in new or "id" not in old:
        return None
    rows_new, rows_old = _rows(new, made), _rows(old, old_derivation)
    ids = [unit for unit in rows_new if unit in rows_old]
    if not ids:
        return None
    columns: dict[str, list[Any]] = {"id": ids}
    value = "numerator" if made.estimator == "ratio" else "value"
    columns["a"] = [new[made.columns[value]][rows_new[unit]] for unit in ids]
    columns["b"] = [old[old_derivation.columns[value]][rows_old[unit]] for unit in ids]
    if made.cluster:
        columns["cluster"] = [new[made.cluster][rows_new[unit]] for unit in ids]
    asked = replace(made, where={}, interval="bootstrap", cluster="cluster" if made.cluster else None)
    if made.estimator != "ratio":
        roles = {"a": "a", "b": "b"}
        return Paired(columns, replace(asked, estimator="mean_difference", columns=roles), _test("a", "b"))
    below_new, below_old = made.columns["denominator"], old_derivation.columns["denominator"]
    columns["d"] = [new[below_new][rows_new[unit]] for unit in ids]
    columns["e"] = [old[below_old][rows_old[unit]] for unit in ids]
    columns["a_per_unit"] = _divide(columns["a"], columns["d"])
    columns["b_per_unit"] = _divide(columns["b"], columns["e"])
    roles = {"numerator_a": "a", "denominator": "d", "numerator_b": "b", "denominator_b": "e"}
    difference = replace(asked, estimator="ratio_difference", columns=roles)
    return Paired(columns, difference, _test("a_per_unit", "b_per_unit"))


def _test(a: str, b: str) -> Derivation:
    return Derivation("wilcoxon_p", {"a": a, "b": b})


def _divide(above: Sequence[Any], below: Sequence[Any]) -> list[Any]:
    return [a / b if a is not None and b else None for a, b in zip(above, below, strict=True)]


def _rows(table: Columns, derivation: Derivation) -> dict[Any, int]:
    wanted = derivation.where.items()
    return {
        unit: row
        for row, unit in enumerate(table["id"])
        if all(table[column][row] == value for column, value in wanted)
    }
