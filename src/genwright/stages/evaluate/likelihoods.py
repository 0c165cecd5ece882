"""How likely held-out samples are under the system, and whether that tells train samples from them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from genwright.core import ClaimDraft, Derivation
from genwright.systems.rows import RowSystem

LABELS = {"exact": "", "lower": "upper bound"}
MOST_MEMBERS = 1000
MOST_HELD_OUT = 20_000


def likelihood_rows(system: RowSystem, *, train: pa.Table, test: pa.Table) -> tuple[list[dict[str, Any]], str]:
    """A row per held-out sample with its nats, and rows of members and others with their scores; and the kind of nats.

    All rows are expected in random order: of held-out ones 20,000 are looked at, and at most 1,000 members stand beside
    as many of these. Empty where the family has no likelihood.
    """
    held_out, kind = _nats(system, test.slice(0, MOST_HELD_OUT))
    if not held_out:
        return [], kind
    members, _ = _nats(system, train.slice(0, min(MOST_MEMBERS, len(test))))
    rows = [{"candidate": "held-out", **row} for row in held_out]
    for label, side in ((1, members), (0, held_out[: len(members)])):
        rows += [
            {
                "candidate": "membership",
                "id": row["id"],
                "group": f"{label} {row['group']}",
                "member": label,
                "score": -row["nats"] / max(row["units"], 1e-9),
            }
            for row in side
        ]
    return rows, kind


def _nats(system: RowSystem, rows: pa.Table) -> tuple[list[dict[str, Any]], str]:
    found, kind = system.log_prob(rows)
    if found is None:
        return [], kind
    columns = (rows.column("id").to_pylist(), rows.column("group").to_pylist(), system.codec.units(rows).tolist())
    return [
        {"id": name, "nats": -value, "units": size, "group": group}
        for value, name, group, size in zip(found.tolist(), *columns, strict=True)
    ], kind


def likelihood_claims(unit: str, kind: str, config: Any, /) -> list[ClaimDraft]:
    """Nats per unit of held-out samples, and the AUC by which they tell members (0.5 where they do not)."""
    shared: dict[str, Any] = {
        "interval": "bootstrap", "level": config.level, "cluster": "group", "resamples": config.resamples,
    }  # fmt: skip
    nats = Derivation("ratio", {"numerator": "nats", "denominator": "units"}, where={"candidate": "held-out"}, **shared)
    told = Derivation("auc", {"score": "score", "label": "member"}, where={"candidate": "membership"}, **shared)
    label = LABELS[kind]
    return [
        _draft("negative_log_likelihood", f"nats/{unit}", nats, label),
        _draft("membership_auc_by_loss", "1", told, label),
    ]


def _draft(metric: str, unit: str, derivation: Derivation, label: str) -> ClaimDraft:
    return ClaimDraft(
        "system", metric, unit, "generation_scores", derivation, label=label, data="dataset", better="lower"
    )
