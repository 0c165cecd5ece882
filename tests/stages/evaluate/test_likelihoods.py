"""Likelihoods of held-out samples, and what they give away of who was in the train split."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from genwright.measure import derive
from genwright.stages.evaluate.likelihoods import likelihood_claims, likelihood_rows

CONFIG = SimpleNamespace(level=0.95, resamples=200)


class System:
    """Nats are a column; `leak` makes train samples likelier."""

    def __init__(self, leak: float | None) -> None:
        self.leak, self.codec = leak, SimpleNamespace(units=lambda rows: np.full(len(rows), 2.0))

    def log_prob(self, rows: pa.Table) -> tuple[Any, str]:
        if self.leak is None:
            return None, "none"
        member = np.array([name.startswith("train") for name in rows.column("id").to_pylist()])
        return rows.column("x").to_numpy() + self.leak * member, "lower"


def table(name: str, n: int, seed: int) -> pa.Table:
    ids = [f"{name} {at}" for at in range(n)]
    return pa.table({"id": ids, "group": ids, "x": np.random.default_rng(seed).normal(-6, 1, n)})


def estimates(leak: float | None) -> dict[str, Any]:
    rows, kind = likelihood_rows(System(leak), train=table("train", 300, 0), test=table("test", 200, 1))  # type: ignore[arg-type]
    names = ("candidate", "id", "group", "nats", "units", "member", "score")
    columns = {name: [row.get(name) for row in rows] for name in names}
    if not rows:
        return {}
    claims = likelihood_claims("row", kind, CONFIG)
    assert {claim.label for claim in claims} == {"upper bound"}
    return {claim.metric: derive(columns, derivation=claim.derivation) for claim in claims}


def test_members_are_told_where_they_are_likelier() -> None:
    fair, leaky = estimates(0.0), estimates(3.0)
    assert fair["membership_auc_by_loss"].low < 0.5 < fair["membership_auc_by_loss"].high
    assert leaky["membership_auc_by_loss"].low > 0.9
    assert abs(fair["negative_log_likelihood"].value - 3.0) < 0.2  # six nats over two units
    assert fair["membership_auc_by_loss"].n == 400 and fair["negative_log_likelihood"].n == 200
    assert estimates(None) == {}
