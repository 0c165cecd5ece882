"""The one way from stored scores to an estimate; the ledger repeats it to verify a claim."""

import math
from collections.abc import Callable

import numpy as np

from genwright.core import DataError, Derivation, Estimate
from genwright.measure import classes, distributions, features, intervals, ranks
from genwright.measure.arrays import Arrays
from genwright.measure.correction import holm
from genwright.measure.paired_tests import mcnemar, wilcoxon
from genwright.measure.privacy import epsilon
from genwright.measure.roles import check
from genwright.measure.scores import Columns
from genwright.measure.statistic import Statistic, Term
from genwright.measure.units import Floats, Rows, select_rows
from genwright.measure.weighted import Weighted, bootstrap


def derive(columns: Columns, /, *, derivation: Derivation, arrays: Arrays | None = None) -> Estimate:
    """The estimate that `derivation` gives on a scores table; the same bits each time.

    `arrays` gives an array beside the table by its name (`partial(read_arrays, folder)`); it is asked only by
    estimators of features. Rows with None in a used column are left out, and `n` says how many remained. What cannot
    be estimated has value None and a reason; a value whose interval cannot be had keeps the value, with a reason.
    `scores` (of a macro AUC, and its `a` and `b`) names an array with a column per class, `label` holds its number.
    Roles of `columns` are in `genwright.measure.roles`. A ratio is that of sums, a mean_difference that of a - b,
    `side` holds 1 for the reference and 0 for what is compared, `features` names an array (by default "features").
    With `cluster`, rows of one cluster are resampled together, and Wilcoxon sees one mean difference per cluster.

    Raises:
        DataError: a column or an array is missing or does not fit, or labels, sides or successes are other numbers.
        SpecError: the derivation's roles, its interval or its parameter do not fit its estimator.
    """
    check(derivation)
    rows = select_rows(columns, derivation=derivation, arrays=arrays)
    return _ESTIMATORS[derivation.estimator](rows, derivation)


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
    interval = _interval(statistic, rows, derivation)
    if name == "rmse":
        value, interval = math.sqrt(value), intervals.rooted(interval)
    return _finished(value, rows, derivation, interval)


def _statistic(rows: Rows, derivation: Derivation) -> Statistic:
    column, sums = rows.values, rows.cluster_sums
    match derivation.estimator:
        case "sum":
            return Statistic([Term(sums(column["value"]), None)])
        case "ratio":
            return Statistic([Term(sums(column["numerator"]), sums(column["denominator"]))])
        case "ratio_difference":
            below = sums(column["denominator"])
            below_b = sums(column["denominator_b"]) if "denominator_b" in column else below
            return Statistic(
                [Term(sums(column["numerator_a"]), below), Term(sums(column["numerator_b"]), below_b, -1.0)]
            )
    return Statistic([Term(sums(_per_row(rows, derivation)), sums(np.ones(len(rows))))])


def _per_row(rows: Rows, derivation: Derivation) -> Floats:
    """What is averaged over rows."""
    column = rows.values
    match derivation.estimator:
        case "mean_difference":
            return np.asarray(column["a"] - column["b"])
        case "mae":
            return np.abs(column["predicted"] - column["actual"])
        case "rmse":
            return np.square(column["predicted"] - column["actual"])
        case "proportion":
            _check_binary(rows, derivation, "value")
    return column["value"]


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
        found, name = mcnemar(a, b)
        return Estimate(found, len(rows), name)
    if derivation.estimator == "delong_p":
        p, method = ranks.delong_test(rows, derivation)
        return Estimate(p, len(rows), method, reason=None if p is not None else method)
    p, method = wilcoxon(_cluster_means(a - b, rows))
    if derivation.estimator == "wilcoxon_holm_p":
        others = [values for role, values in rows.values.items() if role not in ("a", "b")]
        p = holm([p, *(wilcoxon(_cluster_means(a - other, rows))[0] for other in others)])[0]
        method += f", Holm over {len(others) + 1} tests"
    if rows.num_clusters < len(rows):
        method += f" on the means of {rows.num_clusters} clusters by {derivation.cluster}"
    return Estimate(p, len(rows), method)


def _cluster_means(values: Floats, rows: Rows) -> Floats:
    return rows.cluster_sums(values) / rows.cluster_sums(np.ones(len(rows)))


def _weighted(rows: Rows, derivation: Derivation) -> Estimate:
    name, given = derivation.estimator, len(rows)
    if name in _CHOSEN:
        rows = _CHOSEN[name](rows, derivation)
    if not len(rows):
        return Estimate(None, 0, name, reason=classes.TOO_FEW if given and name in _OF_CLASSES else "no rows")
    statistic = _WEIGHTED[name](rows, derivation)
    value = statistic.value(len(rows))
    if value is None:
        return Estimate(None, len(rows), name, reason=statistic.absent)
    match derivation.interval:
        case "bootstrap":
            interval = bootstrap(
                statistic, rows, level=derivation.level, resamples=derivation.resamples, seed=derivation.seed
            )
        case "delong":
            interval = (classes if name in _OF_CLASSES else ranks).delong(rows, derivation)
        case "fisher":
            interval = ranks.fisher(value, rows, derivation)
        case _:
            interval = intervals.Interval(name)
    return _finished(value, rows, derivation, interval)


def _kernel(rows: Rows, derivation: Derivation) -> Estimate:
    if not len(rows):
        return Estimate(None, 0, "kid", reason="no rows")
    value, interval = features.kid(rows, derivation)
    if value is None:
        return Estimate(None, len(rows), "kid", reason=interval.reason)
    return _finished(value, rows, derivation, interval)


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


_WEIGHTED: dict[str, Callable[[Rows, Derivation], Weighted]] = {
    **dict.fromkeys(("median", "quantile"), ranks.quantile),
    **dict.fromkeys(("pearson", "spearman"), ranks.correlation),
    "r2": ranks.r2,
    "auc": ranks.auc,
    "auc_difference": ranks.auc_difference,
    "macro_auc": classes.macro_auc,
    "macro_auc_difference": classes.macro_auc_difference,
    **dict.fromkeys(("auc_gap", "macro_auc_gap"), classes.auc_gap),
    "entropy": distributions.entropy,
    "total_variation": distributions.total_variation,
    "jensen_shannon": distributions.jensen_shannon,
    "cosine": distributions.cosine,
    "wasserstein": distributions.wasserstein,
    "frechet": features.frechet,
    "frechet_ratio": features.frechet_ratio,
}
_OF_CLASSES = ("auc_gap", "macro_auc", "macro_auc_difference", "macro_auc_gap")
# Which of the rows an estimator is of, where it is not of all.
_CHOSEN: dict[str, Callable[[Rows, Derivation], Rows]] = {
    "frechet_ratio": features.balanced,
    **dict.fromkeys(_OF_CLASSES, classes.enough),
}
_SMOOTH = ("sum", "mean", "proportion", "ratio", "mean_difference", "ratio_difference", "mae", "rmse")
_ESTIMATORS: dict[str, Callable[[Rows, Derivation], Estimate]] = {
    "count": _count,
    **dict.fromkeys(("min", "max"), _extreme),
    **dict.fromkeys(_SMOOTH, _smooth),
    **dict.fromkeys(("wilcoxon_p", "wilcoxon_holm_p", "mcnemar_p", "delong_p"), _test),
    **dict.fromkeys(_WEIGHTED, _weighted),
    "kid": _kernel,
    "epsilon": epsilon,
}
