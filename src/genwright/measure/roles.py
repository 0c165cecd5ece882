"""What each estimator takes: its roles, its intervals, its parameter."""

from genwright.core import Derivation, SpecError

FEATURES = "features"
_VALUE = frozenset({"value"})
_SIDES = frozenset({"value", "side"})
_CORRELATED = frozenset({"x", "y"})
_PREDICTED = frozenset({"predicted", "actual"})

ROLES: dict[str, frozenset[str]] = {
    "count": frozenset(),
    **dict.fromkeys(("sum", "min", "max", "mean", "proportion", "median", "quantile", "entropy"), _VALUE),
    "ratio": frozenset({"numerator", "denominator"}),
    **dict.fromkeys(("mean_difference", "wilcoxon_p", "wilcoxon_holm_p", "mcnemar_p"), frozenset({"a", "b"})),
    "ratio_difference": frozenset({"numerator_a", "numerator_b", "denominator"}),
    **dict.fromkeys(("mae", "rmse", "r2"), _PREDICTED),
    **dict.fromkeys(("pearson", "spearman"), _CORRELATED),
    "auc": frozenset({"score", "label"}),
    **dict.fromkeys(("auc_difference", "delong_p"), frozenset({"a", "b", "label"})),
    "auc_gap": frozenset({"score", "label", "part"}),
    "macro_auc": frozenset({"scores", "label"}),
    "macro_auc_difference": frozenset({"a", "b", "label"}),
    "macro_auc_gap": frozenset({"scores", "label", "part"}),
    **dict.fromkeys(("total_variation", "jensen_shannon", "cosine", "wasserstein"), _SIDES),
    **dict.fromkeys(("frechet", "frechet_ratio", "kid"), frozenset({"side"})),
    "epsilon": frozenset({"noise", "rate", "steps"}),
}
# Roles that name an array beside the table, one after another in `Rows.features`.
ARRAYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("frechet", "frechet_ratio", "kid"), (FEATURES,)),
    **dict.fromkeys(("macro_auc", "macro_auc_gap"), ("scores",)),
    "macro_auc_difference": ("a", "b"),
}
OF_CATEGORIES = frozenset({"entropy", "total_variation", "jensen_shannon", "cosine"})
# Roles of any number, told apart by what follows the name: what else `a` is compared with.
REPEATED = {"wilcoxon_holm_p": "also_"}
OPTIONAL = {
    "ratio_difference": frozenset({"denominator_b"}),
    **dict.fromkeys(("frechet", "frechet_ratio", "kid"), frozenset({FEATURES})),
}

_INTERVALS: dict[str, frozenset[str]] = {
    **dict.fromkeys(ROLES, frozenset({"bootstrap"})),
    **dict.fromkeys(
        ("count", "sum", "min", "max", "mean", "ratio", "mean_difference", "ratio_difference", "mae", "rmse"),
        frozenset({"bootstrap", "t"}),
    ),
    **dict.fromkeys(("wilcoxon_p", "wilcoxon_holm_p", "mcnemar_p", "delong_p", "epsilon"), frozenset()),
    "proportion": frozenset({"bootstrap", "t", "wilson"}),
    **dict.fromkeys(("pearson", "spearman"), frozenset({"bootstrap", "fisher"})),
    **dict.fromkeys(("auc", "auc_difference", "macro_auc", "macro_auc_difference"), frozenset({"bootstrap", "delong"})),
    "kid": frozenset({"t"}),
}
_OF_ROWS = {
    "wilson": "the Wilson interval is for a proportion",
    "delong": "DeLong's interval is for an AUC",
    "fisher": "Fisher's interval is for a correlation",
}


def check(derivation: Derivation, /) -> None:
    """Passes where roles, interval, level and parameter fit the estimator.

    Raises:
        SpecError: one does not.
    """
    name, given = derivation.estimator, set(derivation.columns)
    if name not in ROLES:
        raise SpecError(f"no estimator '{name}'; known: {', '.join(sorted(ROLES))}")
    allowed = ROLES[name] | OPTIONAL.get(name, frozenset())
    if name in REPEATED:
        allowed |= {role for role in given if role.startswith(REPEATED[name])}
    if not ROLES[name] <= given <= allowed:
        raise SpecError(f"{name} takes the columns {sorted(allowed) or 'none'}, but got {sorted(given)}")
    if not 0 < derivation.level < 1:
        raise SpecError(f"level is {derivation.level}; it must lie between 0 and 1")
    _check_interval(derivation)
    _check_parameter(derivation)


def _check_interval(derivation: Derivation) -> None:
    name, interval = derivation.estimator, derivation.interval
    fits = interval == "none" or interval in _INTERVALS[name]
    if interval in _OF_ROWS and (not fits or derivation.cluster):
        raise SpecError(f"{_OF_ROWS[interval]} of independent rows; use interval = 'bootstrap'")
    if not fits:
        raise SpecError(f"{name} has the intervals {['none', *sorted(_INTERVALS[name])]}, not '{interval}'")


def _check_parameter(derivation: Derivation) -> None:
    name, given = derivation.estimator, derivation.parameter
    if name == "quantile":
        if given is None or not 0 <= given <= 1:
            raise SpecError(f"parameter is {given}; a quantile needs its level there, from 0 to 1")
    elif name == "kid":
        if given is not None and (given < 2 or given != int(given)):
            raise SpecError(f"parameter is {given}; for kid it is the number of blocks, a whole number from 2 on")
    elif name == "epsilon":
        if given is None or not 0 < given < 1:
            raise SpecError(f"parameter is {given}; an epsilon needs its delta there, between 0 and 1")
    elif given is not None:
        raise SpecError(f"parameter is {given}, but {name} has none")
