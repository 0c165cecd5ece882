"""The one way from stored scores to an estimate; the ledger repeats it to verify a claim."""

import math
from collections.abc import Callable

import numpy as np

from genwright.core import DataError, Derivation, Estimate, SpecError
from genwright.measure import intervals
from genwright.measure.paired_tests import mcnemar, wilcoxon
from genwright.measure.scores import Columns
from genwright.measure.statistic import Statistic, Term
from genwright.measure.units import Rows, select_rows

ROLES: dict[str, frozenset[str]] = {
    "count": frozenset(),
    **dict.fromkeys(("sum", "min", "max", "mean", "proportion"), frozenset({"value"})),
    "ratio": frozenset({"numerator", "denominator"}),
    **dict.fromkeys(("mean_difference", "wilcoxon_p", "mcnemar_p"), frozenset({"a", "b"})),
    "ratio_difference": frozenset({"numerator_a", "numerator_b", "denominator"}),
}
OPTIONAL = {"ratio_difference": frozenset({"denominator_b"})}


def derive(columns: Columns, /, *, derivation: Derivation) -> Estimate:
    """The estimate that `derivation` gives on a scores table; the same bits each time.

    Rows with None in a used column are left out, and `n` says how many remained. What cannot be estimated has value
    None and a reason; a value whose interval cannot be had keeps the value, with a reason. Roles of `columns`:
    sum, min, max, mean, proportion: value. ratio: numerator, denominator (sums). mean_difference: a, b (mean of a - b).
    ratio_difference: numerator_a, numerator_b, denominator, optionally denominator_b. wilcoxon_p, mcnemar_p: a, b.
    With `cluster`, rows of one cluster are resampled together, and Wilcoxon sees one mean difference per cluster.

    Raises:
        DataError: a column is missing or is not numeric, or a proportion holds other than 0 and 1.
        SpecError: the derivation's roles or its interval do not fit its estimator.
    """
    _check(derivation)
    rows = select_rows(columns, derivation=derivation)
    return _ESTIMATORS[derivation.estimator](rows, derivation)


def _check(derivation: Derivation) -> None:
    name, given = derivation.estimator, set(derivation.columns)
    if name not in ROLES:
        raise SpecError(f"no estimator '{name}'; known: {', '.join(sorted(ROLES))}")
    allowed = ROLES[name] | OPTIONAL.get(name, frozenset())
    if not ROLES[name] <= given <= allowed:
        raise SpecError(f"{name} takes the columns {sorted(allowed) or 'none'}, but got {sorted(given)}")
    if derivation.interval == "wilson" and (name != "proportion" or derivation.cluster):
        raise SpecError("the Wilson interval is for a proportion of independent rows; use interval = 'bootstrap'")
    if not 0 < derivation.level < 1:
        raise SpecError(f"level is {derivation.level}; it must lie between 0 and 1")


def _count(rows: Rows, derivation: Derivation) -> Estimate:
    return _finished(float(len(rows)), rows, derivation, intervals.Interval("count"))


def _extreme(rows: Rows, derivation: Derivation) -> Estimate:
    if not len(rows):
        return Estimate(None, 0, derivation.estimator, reason="no rows")
    values = rows.values["value"]
    found = float(values.min() if derivation.estimator == "min" else values.max())
    reason = "the bootstrap does not hold for an extreme" if derivation.interval != "none" else None
    return _finished(found, rows, derivation, intervals.Interval(derivation.estimator, reason=reason))


def _smooth(rows: Rows, derivation: Derivation) -> Estimate:
    name = derivation.estimator
    if not len(rows):
        return Estimate(None, 0, name, reason="no rows")
    statistic = _statistic(rows, derivation)
    value = statistic.value()
    if value is None:
        return Estimate(None, len(rows), name, reason="the denominators sum to 0")
    return _finished(value, rows, derivation, _interval(statistic, rows, derivation))


def _statistic(rows: Rows, derivation: Derivation) -> Statistic:
    column, sums = rows.values, rows.cluster_sums
    ones = np.ones(len(rows))
    match derivation.estimator:
        case "sum":
            return Statistic([Term(sums(column["value"]), None)])
        case "ratio":
            return Statistic([Term(sums(column["numerator"]), sums(column["denominator"]))])
        case "mean_difference":
            return Statistic([Term(sums(column["a"] - column["b"]), sums(ones))])
        case "ratio_difference":
            below = sums(column["denominator"])
            below_b = sums(column["denominator_b"]) if "denominator_b" in column else below
            return Statistic(
                [Term(sums(column["numerator_a"]), below), Term(sums(column["numerator_b"]), below_b, -1.0)]
            )
        case "proportion":
            _check_binary(rows, derivation, "value")
    return Statistic([Term(sums(column["value"]), sums(ones))])


def _interval(statistic: Statistic, rows: Rows, derivation: Derivation) -> intervals.Interval:
    match derivation.interval:
        case "bootstrap":
            return intervals.bootstrap(
                statistic, level=derivation.level, resamples=derivation.resamples, seed=derivation.seed
            )
        case "wilson":
            return intervals.wilson(float(rows.values["value"].sum()), n=len(rows), level=derivation.level)
        case "t":
            return intervals.student_t(statistic, level=derivation.level)
    return intervals.Interval(derivation.estimator)


def _test(rows: Rows, derivation: Derivation) -> Estimate:
    a, b = rows.values["a"], rows.values["b"]
    if not len(rows):
        return Estimate(None, 0, derivation.estimator, reason="no rows")
    if derivation.estimator == "mcnemar_p":
        for role in ("a", "b"):
            _check_binary(rows, derivation, role)
        p, method = mcnemar(a, b)
        return Estimate(p, len(rows), method)
    differences = rows.cluster_sums(a - b) / rows.cluster_sums(np.ones(len(rows)))
    p, method = wilcoxon(differences)
    if rows.num_clusters < len(rows):
        method += f" on the means of {rows.num_clusters} clusters by {derivation.cluster}"
    return Estimate(p, len(rows), method)


def _check_binary(rows: Rows, derivation: Derivation, role: str) -> None:
    wrong = rows.values[role][~np.isin(rows.values[role], (0.0, 1.0))]
    if len(wrong):
        name = derivation.columns[role]
        raise DataError(f"column '{name}' holds {wrong[0]}; a {derivation.estimator} is of 0 and 1 (or true and false)")


def _finished(value: float, rows: Rows, derivation: Derivation, interval: intervals.Interval) -> Estimate:
    """Scale and transform applied to the value and its ends, and the method written out."""
    ends = [_mapped(end, derivation) for end in (interval.low, interval.high) if end is not None]
    mapped, method = _mapped(value, derivation), _method(interval, rows, derivation)
    if mapped is None or None in ends:
        return Estimate(None, len(rows), method, reason="too large for a floating-point number")
    low, high = sorted(end for end in ends if end is not None) if ends else (None, None)
    level = derivation.level if ends else None
    return Estimate(mapped, len(rows), method, low, high, level, interval.reason)


def _mapped(value: float, derivation: Derivation) -> float | None:
    value *= derivation.scale
    if derivation.transform == "exp":
        try:
            value = math.exp(value)
        except OverflowError:
            return None
    return value if math.isfinite(value) else None


def _method(interval: intervals.Interval, rows: Rows, derivation: Derivation) -> str:
    if derivation.interval == "none" or (interval.low is None and interval.method == derivation.estimator):
        return derivation.estimator
    parts = [derivation.estimator.replace("_", " ")]
    if derivation.interval == "bootstrap":
        grouped = derivation.cluster is not None
        parts.append(f"{'cluster ' if grouped else ''}bootstrap ({interval.method})")
        parts += [f"{rows.num_clusters} clusters by {derivation.cluster}"] if grouped else []
        parts.append(f"{derivation.resamples} resamples, seed {derivation.seed}")
    else:
        parts.append(f"{interval.method} interval")
        parts += [f"{rows.num_clusters} clusters by {derivation.cluster}"] if derivation.cluster else []
    return ", ".join(parts)


_ESTIMATORS: dict[str, Callable[[Rows, Derivation], Estimate]] = {
    "count": _count,
    **dict.fromkeys(("min", "max"), _extreme),
    **dict.fromkeys(("sum", "mean", "proportion", "ratio", "mean_difference", "ratio_difference"), _smooth),
    **dict.fromkeys(("wilcoxon_p", "mcnemar_p"), _test),
}
