"""The claims of one candidate: how each follows from the scores table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.modalities.molecule.config import MoleculeMetricsConfig
from genwright.modalities.molecule.properties import UNITS
from genwright.modalities.molecule.sides import Side

COMPARED = ("logp", "qed", "sa", "weight")
RESAMPLES = 500  # a distance between distributions takes long, and its interval is a standard error


def drafts_of(side: Side, config: MoleculeMetricsConfig, columns: Sequence[str], /) -> list[ClaimDraft]:
    """Claims of the candidate, those of the system in the short tables."""
    here = _Drafts(side)
    between = {"side": f"side_{side.name}"}
    found = []
    if config.fcd == "on":
        roles = {"side": f"fcd_{side.name}"}
        found.append(here.of_all("frechet_chemnet_distance", "frechet", roles, resamples=config.fcd_resamples))
    found += [
        here.own("nearest_test_similarity", "mean", "similarity", unit="Tanimoto", better="higher"),
        here.own("internal_diversity", "mean", "apart", unit="1 - Tanimoto", better="higher"),
        here.own("filter_share", "proportion", "passes", unit="share of molecules", better="higher", interval="wilson"),
        here.of_all("scaffold_similarity", "cosine", {"value": "scaffold", **between}, better="higher"),
        here.of_all(
            "fragment_similarity", "cosine", {"value": "fragment", **between}, better="higher", cluster="molecule"
        ),
        *(
            here.of_all(f"{name}_distance", "wasserstein", {"value": name, **between}, unit=UNITS[name])
            for name in COMPARED
        ),
        here.of_all("c2st_auc", "auc", {"score": f"c2st_{side.name}", "label": f"made_{side.name}"}, interval="delong"),
        here.of_all(
            "membership_auc", "auc", {"score": f"near_{side.name}", "label": f"member_{side.name}"}, interval="delong"
        ),
    ]
    if config.asked:
        roles = {"predicted": "obtained", "actual": "asked"}
        found.append(here.own_roles("condition_error", "mae", roles, unit=UNITS[config.asked], better="lower"))
    return [draft for draft in found if set(draft.derivation.columns.values()) - {"features"} <= set(columns)]


class _Drafts:
    """Drafts that differ in metric and derivation only."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def own(
        self, metric: str, estimator: Any, column: str, *, unit: str, better: Any, interval: Any = "bootstrap"
    ) -> ClaimDraft:
        """Of a column of the candidate's own rows."""
        return self.own_roles(metric, estimator, {"value": column}, unit=unit, better=better, interval=interval)

    def own_roles(
        self,
        metric: str,
        estimator: Any,
        roles: Mapping[str, str],
        *,
        unit: str,
        better: Any,
        interval: Any = "bootstrap",
    ) -> ClaimDraft:
        """Of several columns of the candidate's own rows."""
        where = {"table": "molecule", "candidate": self._side.name}
        return self._draft(metric, unit, better, Derivation(estimator, roles, where=where, interval=interval))

    def of_all(
        self,
        metric: str,
        estimator: Any,
        roles: Mapping[str, str],
        *,
        unit: str = "",
        better: Any = "lower",
        interval: Any = "bootstrap",
        resamples: int = RESAMPLES,
        cluster: str | None = None,
    ) -> ClaimDraft:
        """Of rows of several sides, chosen by the columns that are filled in."""
        derivation = Derivation(estimator, roles, interval=interval, resamples=resamples, cluster=cluster)
        return self._draft(metric, unit or metric, better, derivation)

    def _draft(self, metric: str, unit: str, better: Any, derivation: Derivation) -> ClaimDraft:
        return ClaimDraft(
            "system",
            metric,
            unit,
            "scores",
            derivation,
            label=self._side.label,
            data="dataset",
            better=better,
            headline=self._side.name == "system",
        )
