"""Claims: the only form in which a number leaves a stage."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from genwright.core.digest import json_digest

IntervalMethod = Literal["none", "bootstrap", "wilson", "t", "delong", "fisher"]
Estimator = Literal[
    "count",
    "sum",
    "min",
    "max",
    "mean",
    "proportion",
    "ratio",
    "mean_difference",
    "ratio_difference",
    "wilcoxon_p",
    "wilcoxon_holm_p",
    "mcnemar_p",
    "delong_p",
    "mae",
    "rmse",
    "r2",
    "pearson",
    "spearman",
    "median",
    "quantile",
    "auc",
    "auc_difference",
    "auc_gap",
    "macro_auc",
    "macro_auc_difference",
    "macro_auc_gap",
    "entropy",
    "total_variation",
    "jensen_shannon",
    "cosine",
    "wasserstein",
    "frechet",
    "frechet_ratio",
    "kid",
    "epsilon",
]


@dataclass(frozen=True)
class Derivation:
    """How a number follows from a scores table; enough to compute it again, bit for bit.

    `columns` maps the estimator's roles to column names (see `genwright.measure.derive`);
    rows are kept where every `where` column equals its value; `cluster` names the column whose
    values are resampled together; `scale` multiplies, then `transform` maps the estimate. `parameter` is the
    level of a `quantile`, the number of blocks of a `kid` (None: 10) and the delta of an `epsilon`; other estimators
    have none.
    """

    estimator: Estimator
    columns: Mapping[str, str]
    where: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    interval: IntervalMethod = "none"
    level: float = 0.95
    cluster: str | None = None
    resamples: int = 2000
    seed: int = 0
    scale: float = 1.0
    transform: Literal["identity", "exp"] = "identity"
    parameter: float | None = None


@dataclass(frozen=True)
class Estimate:
    """A value with what is known of its error. `value is None` means not estimable, and `reason` says why."""

    value: float | None
    n: int
    method: str
    low: float | None = None
    high: float | None = None
    level: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ClaimDraft:
    """A claim as a stage states it: what is claimed of which slot, and how it derives from which scores.

    `subject`, `data` and `scores` are slot names among the stage's inputs and outputs; the runner
    stores the scores, derives the estimate from the stored bytes, and fills the digests in.
    `label` tells apart references that share a subject ("n-gram, order 6"); `better` gives the
    direction in which the metric improves; `headline` puts it into the short tables.
    """

    subject: str
    metric: str
    unit: str
    scores: str
    derivation: Derivation
    version: str = "1"
    label: str = ""
    data: str | None = None
    better: Literal["lower", "higher", "neither"] = "neither"
    headline: bool = True


@dataclass(frozen=True)
class Claim:
    """One number with its evidence. `id` is the digest of everything but `run`, `actor` and `created`."""

    subject: str
    label: str
    metric: str
    version: str
    unit: str
    estimate: Estimate
    derivation: Derivation
    scores: str
    data: str | None
    better: str
    headline: bool
    run: str = ""
    actor: str = ""
    created: str = ""

    @property
    def id(self) -> str:
        """The claim's address: the same evidence gives the same id."""
        body = asdict(self)
        for key in ("run", "actor", "created"):
            del body[key]
        return json_digest(body)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary, `id` included."""
        return {"id": self.id, **asdict(self)}
