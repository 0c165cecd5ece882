"""What has been fixed, judged and released in a project."""

from collections.abc import Mapping
from typing import Any

from genwright.core.digest import json_digest
from genwright.ledger import Ledger


def fix_policy(ledger: Ledger, policy: Mapping[str, Any], /) -> int:
    """The place in the chain where this policy was first fixed; it is fixed now if it was not."""
    digest = json_digest(policy)
    rows = ledger.entries.select("kind = 'policy' AND json_extract(body, '$.id') = ?", [digest], tail="LIMIT 1")
    return rows[0].seq if rows else ledger.append("policy", {"id": digest, "policy": dict(policy)})


def verdicts(ledger: Ledger, /, *, system: str | None = None) -> list[dict[str, Any]]:
    """Verdicts in order, of one system or of all."""
    where, values = "kind = 'verdict'", []
    if system is not None:
        where, values = where + " AND json_extract(body, '$.system') = ?", [system]
    return [{**row.body, "seq": row.seq} for row in ledger.entries.select(where, values)]


def released_before(ledger: Ledger, system: str, /) -> dict[str, Any] | None:
    """The newest passing release of another system: `{release, system, scores, run}`."""
    runs = {run["id"]: run for run in ledger.runs(stage="release")}
    for verdict in reversed(verdicts(ledger)):
        run = runs.get(verdict["run"])
        if verdict["passed"] and verdict["system"] != system and run and "release" in run["outputs"]:
            return {
                "release": run["outputs"]["release"],
                "system": verdict["system"],
                "scores": run["inputs"]["scores"],
                "run": run["id"],
            }
    return None
