"""Two systems on the same units: scores tables joined, and the verdict of non-inferiority."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from genwright.core import DataError, Derivation, Estimate
from genwright.core.claim import Estimator
from genwright.measure.derive import derive
from genwright.measure.scores import Columns

UNIT = "id"
_MEANS = ("mean", "proportion")


@dataclass(frozen=True)
class Paired:
    """A joined scores table with the derivations of the difference (new minus old) and of its test."""

    columns: dict[str, list[Any]]
    difference: Derivation
    test: Derivation


def pair(new: Columns, derivation: Derivation, *, old: Columns, old_derivation: Derivation) -> Paired | None:
    """The units that both tables score, by column `id`; None where there are none, or nothing that pairs.

    Means, proportions, ratios and AUCs pair. The difference of a perplexity (`transform="exp"`) is that of its
    logarithm. The test is McNemar for a proportion, DeLong for an AUC, else Wilcoxon on the difference per unit. Rows
    without an `id` belong to no unit.

    Raises:
        DataError: an `id` occurs twice among the rows of one table.
    """
    kind = derivation.estimator
    if kind != old_derivation.estimator or kind not in (*_MEANS, "ratio", "auc") or UNIT not in new or UNIT not in old:
        return None
    ours, theirs = _by_unit(new, derivation), _by_unit(old, old_derivation)
    units = [unit for unit in ours if unit in theirs]
    if not units:
        return None
    columns: dict[str, list[Any]] = {UNIT: units}
    if derivation.cluster:
        columns["cluster"] = [ours[unit]["cluster"] for unit in units]
    for side, rows in (("new", ours), ("old", theirs)):
        for role in derivation.columns:
            columns[f"{role}_{side}"] = [rows[unit][role] for unit in units]
        if kind != "auc":
            columns[f"unit_{side}"] = [_per_unit(rows[unit]) for unit in units]
    return Paired(columns, *_derivations(derivation))


def non_inferiority(
    a: Sequence[float],
    b: Sequence[float],
    *,
    margin: float,
    better: Literal["lower", "higher"] = "lower",
    level: float = 0.95,
    cluster: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[bool, Estimate]:
    """Whether `a` is not worse than `b` by more than `margin`, and the estimate of the mean of a - b.

    True where the whole interval lies on the good side of the margin; a missing interval is a no. At level 0.95
    the one-sided error is 2.5 %. Source: Piaggio et al. 2012 (CONSORT extension for non-inferiority).
    """
    if margin < 0:
        raise DataError(f"margin is {margin}; it is the loss that is tolerated, 0 or more")
    columns: dict[str, Sequence[float | str]] = {"a": a, "b": b}
    if cluster is not None:
        columns["cluster"] = cluster
    grouped = "cluster" if cluster is not None else None
    estimate = derive(
        columns,
        derivation=Derivation(
            "mean_difference", {"a": "a", "b": "b"}, interval="bootstrap", level=level, cluster=grouped, seed=seed
        ),
    )
    if estimate.low is None or estimate.high is None:
        return False, estimate
    return (estimate.high if better == "lower" else -estimate.low) <= margin, estimate


def _by_unit(columns: Columns, derivation: Derivation) -> dict[Any, dict[str, Any]]:
    rows: dict[Any, dict[str, Any]] = {}
    for at, unit in enumerate(columns[UNIT]):
        if unit is None or any(columns[name][at] != value for name, value in derivation.where.items()):
            continue
        if unit in rows:
            raise DataError(f"'{unit}' occurs twice in the scores table; pairing needs one row per {UNIT}")
        rows[unit] = {role: columns[name][at] for role, name in derivation.columns.items()}
        if derivation.cluster:
            rows[unit]["cluster"] = columns[derivation.cluster][at]
    return rows


def _per_unit(row: dict[str, Any]) -> float | None:
    if "value" in row:
        return None if row["value"] is None else float(row["value"])
    above, below = row["numerator"], row["denominator"]
    return None if above is None or not below else float(above) / float(below)


def _derivations(derivation: Derivation) -> tuple[Derivation, Derivation]:
    cluster = "cluster" if derivation.cluster else None
    shared = replace(derivation, where={}, cluster=cluster, transform="identity", interval="bootstrap")
    if derivation.estimator == "auc":
        columns = {"a": "score_new", "b": "score_old", "label": "label_new"}
        interval = derivation.interval if not cluster else "bootstrap"
        difference = replace(shared, estimator="auc_difference", columns=columns, interval=interval)
        return difference, replace(difference, estimator="delong_p", interval="none", scale=1.0)
    if derivation.estimator == "ratio":
        columns = {
            "numerator_a": "numerator_new",
            "numerator_b": "numerator_old",
            "denominator": "denominator_new",
            "denominator_b": "denominator_old",
        }
        difference = replace(shared, estimator="ratio_difference", columns=columns)
    else:
        difference = replace(shared, estimator="mean_difference", columns={"a": "value_new", "b": "value_old"})
    test: Estimator = "mcnemar_p" if derivation.estimator == "proportion" else "wilcoxon_p"
    sides = {"a": "unit_new", "b": "unit_old"}
    return difference, replace(shared, estimator=test, columns=sides, interval="none", scale=1.0)
