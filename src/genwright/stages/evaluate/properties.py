"""Numbers of held-out samples, predicted from embeddings beside a mean and the modality's own features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import CapabilityError, ClaimDraft, DataError, Derivation
from genwright.core.protocols import ModelledModality
from genwright.stages.evaluate.checks import NO_EMBEDDING, WITH_EMBEDDING
from genwright.stages.evaluate.config import PropertiesConfig
from genwright.systems.properties import Predictions, PropertyHead, fit_head
from genwright.systems.rows import RowSystem

FEATURES, MEAN = "reference: the modality's features", "reference: mean of train"
DOMAINS = {"inside": "by embeddings", "alike": "by likeness"}
Splits = dict[str, pa.Table]


def fit_properties(
    config: PropertiesConfig, splits: Splits, /, *, system: RowSystem, modality: ModelledModality
) -> PropertyHead:
    """The head, fitted on train samples; intervals and domain follow from the validation split.

    Raises:
        CapabilityError: the family has no embedding.
        DataError: a column is not there or holds no numbers, or the validation split is empty.
    """
    if not hasattr(system.family, "embed"):
        raise CapabilityError(NO_EMBEDDING, hint=WITH_EMBEDDING)
    check_columns(config, splits["train"], modality=modality)
    train, calibration, _ = _used(config, splits, modality)
    if not len(calibration):
        raise DataError("the validation split is empty, so no interval can be had", hint="raise data.split.validation")
    parts = [(_embedded(system, rows, config), _numbers(rows, config.columns)) for rows in (train, calibration)]
    return fit_head(parts[0], parts[1], manifest=config.kept)


def property_rows(
    config: PropertiesConfig, splits: Splits, /, *, system: RowSystem, modality: ModelledModality
) -> list[dict[str, Any]]:
    """A row per held-out sample, property and predictor; what has no such number has no row."""
    train, calibration, test = _used(config, splits, modality)
    assert system.head is not None, "fit_properties made one"
    own = system.predict(test)
    near = _alike(config, modality, train, calibration, test)
    predictors: list[tuple[str, Predictions]] = [("system", own)]
    if hasattr(modality, "features"):
        parts = [(modality.features(rows), _numbers(rows, config.columns)) for rows in (train, calibration)]
        head = fit_head(parts[0], parts[1], manifest=config.kept)
        predictors.append(("features", head.predict(modality.features(test), neighbours=config.neighbours)))
    actual, means = _numbers(test, config.columns), np.nanmean(_numbers(train, config.columns), axis=0)
    groups = test.column("group").to_pylist()
    rows: list[dict[str, Any]] = []
    for at, name in enumerate(config.columns):
        for row in np.flatnonzero(np.isfinite(actual[:, at])):
            told = {"candidate": "property", "property": name, "group": groups[row], "actual": float(actual[row, at])}
            for predictor, found in predictors:
                width, value = float(found.half_widths[at]), float(found.values[row, at])
                rows.append(
                    {
                        **told,
                        "predictor": predictor,
                        "predicted": value,
                        "half_width": width if np.isfinite(width) else None,
                        "covered": abs(value - told["actual"]) <= width,
                        "inside": bool(own.inside[row]),
                        "alike": None if near is None else bool(near[row]),
                    }
                )
            rows.append({**told, "predictor": "mean", "predicted": float(means[at])})
    return rows


def property_claims(config: Any, /, *, features: bool) -> list[ClaimDraft]:
    """How good predictions, intervals and domain are, for each property; references beside them."""
    settings: PropertiesConfig = config.properties
    labels = {"system": "", "mean": MEAN} | ({"features": FEATURES} if features else {})
    domains = {name: how for name, how in DOMAINS.items() if name == "inside" or settings.likeness == "on"}
    drafts: list[ClaimDraft] = []
    for name in settings.columns:
        for predictor, label in labels.items():
            one = _Drafts(config, name, predictor, label)
            drafts += [one.of("property_r2", "r2", "1", "higher"), one.of("property_mae", "mae", name, "lower")]
            if predictor != "mean":
                drafts += [one.coverage(), one.width()]
        own = _Drafts(config, name, "system", "")
        for domain, how in domains.items():
            for value, side in ((True, "inside"), (False, "outside")):
                where, label = {domain: value}, f"{side} the domain {how}"
                drafts += [
                    own.of("property_mae", "mae", name, "lower", where=where, label=label, headline=False),
                    own.coverage(where=where, label=label, headline=False),
                ]
    first = _Drafts(config, settings.columns[0], "system", "")
    return drafts + [first.share(domain, how) for domain, how in domains.items()]


class _Drafts:
    """Claims about one property by one predictor."""

    def __init__(self, config: Any, name: str, predictor: str, label: str) -> None:
        self._config, self._name, self._label = config, name, label
        self._where: dict[str, str | int | float | bool] = {
            "candidate": "property",
            "property": name,
            "predictor": predictor,
        }

    def of(
        self,
        metric: str,
        estimator: Any,
        unit: str,
        better: Any,
        *,
        columns: dict[str, str] | None = None,
        where: dict[str, bool] | None = None,
        label: str = "",
        headline: bool = True,
    ) -> ClaimDraft:
        """One claim; its rows are resampled by group."""
        derivation = Derivation(
            estimator,
            columns or {"predicted": "predicted", "actual": "actual"},
            where=self._where | (where or {}),
            interval="bootstrap",
            level=self._config.level,
            cluster="group",
            resamples=self._config.resamples,
        )
        parts = [part for part in (self._name, self._label, label) if part]
        return ClaimDraft(
            "system",
            metric,
            unit,
            "generation_scores",
            derivation,
            label=", ".join(parts),
            data="dataset",
            better=better,
            headline=headline and not self._label,
        )

    def coverage(self, **more: Any) -> ClaimDraft:
        """The share of held-out numbers that lie in their interval."""
        return self.of("interval_coverage", "proportion", "1", "neither", columns={"value": "covered"}, **more)

    def width(self) -> ClaimDraft:
        """Half the interval."""
        columns = {"value": "half_width"}
        return self.of("interval_half_width", "mean", self._name, "lower", columns=columns, headline=False)

    def share(self, domain: str, how: str) -> ClaimDraft:
        """The share of held-out samples inside the domain."""
        draft = self.of("domain_share", "proportion", "1", "neither", columns={"value": domain})
        return ClaimDraft(**{**vars(draft), "label": how})


def _used(config: PropertiesConfig, splits: Splits, modality: ModelledModality) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The rows that are fitted, calibrated and tested on, with their numbers; splits come in random order."""
    sizes = {"train": config.fit_rows, "validation": config.fit_rows, "test": config.test_rows}
    rows = (splits[split].slice(0, size) for split, size in sizes.items())
    train, calibration, test = (_with_computed(part, config.columns, modality) for part in rows)
    return train, calibration, test


def check_columns(config: PropertiesConfig, rows: pa.Table, /, *, modality: ModelledModality) -> None:
    """Passes where the columns are numbers of the dataset, or the modality computes them.

    Raises:
        DataError: a column is not there or holds no numbers.
    """
    for name in config.columns:
        if name in rows.column_names or name not in _computed(modality):
            _check(rows, name, modality)


def _with_computed(rows: pa.Table, names: Sequence[str], modality: ModelledModality) -> pa.Table:
    """Rows with the numbers that the dataset lacks and the modality computes."""
    wanted = [name for name in names if name in _computed(modality) and name not in rows.column_names]
    if wanted:
        for name, values in modality.compute(wanted, rows).items():  # type: ignore[attr-defined]  # an ability
            rows = rows.append_column(name, pa.array(values, pa.float64()))
    return rows


def _computed(modality: ModelledModality) -> tuple[str, ...]:
    return tuple(getattr(modality, "computes", ()))


def _check(rows: pa.Table, name: str, modality: ModelledModality) -> None:
    if name not in rows.column_names:
        there = [column for column in rows.column_names if _is_number(rows, column)]
        known = ", ".join(dict.fromkeys([*there, *_computed(modality)]))
        raise DataError(
            f"evaluate.properties: the dataset has no column '{name}' (numbers there are: {known or 'none'})",
            hint="keep it in data.sources, such as columns of a file of molecules",
        )
    if not _is_number(rows, name):
        raise DataError(
            f"evaluate.properties: column '{name}' holds {rows.column(name).type}, and numbers are predicted only",
            hint="name a column of numbers",
        )


def _is_number(rows: pa.Table, name: str) -> bool:
    kind = rows.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _numbers(rows: pa.Table, columns: Sequence[str]) -> NDArray[np.float64]:
    """(n, k), NaN where a sample has none."""
    return np.stack([rows.column(name).cast(pa.float64()).to_numpy() for name in columns], axis=1)


def _embedded(system: RowSystem, rows: pa.Table, config: PropertiesConfig) -> NDArray[np.float64]:
    found = system.embed(rows, hidden=config.columns)
    assert found is not None, "the family embeds"
    return found


def _alike(
    config: PropertiesConfig, modality: ModelledModality, train: pa.Table, calibration: pa.Table, test: pa.Table
) -> NDArray[np.bool_] | None:
    """Which held-out samples are as near to train, by the modality's own distance, as most calibration samples are."""
    if config.likeness == "off":
        return None
    reach = np.quantile(modality.nearest(calibration, train)[0], config.domain)
    return np.asarray(modality.nearest(test, train)[0] <= reach)
