"""What has been fixed, judged and released in a project."""

from collections.abc import Mapping
from typing import Any

from genwright.core.digest import json_digest
from genwright.core.errors import SpecError
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
    return next((release for release in _releases(ledger) if release["system"] != system), None)


def newest_release(ledger: Ledger, /) -> dict[str, Any] | None:
    """The newest passing release: `{release, system, scores, run}`."""
    return next(iter(_releases(ledger)), None)


def newest_system(ledger: Ledger, /) -> str | None:
    """The system that was made last, released or not."""
    made = (run["outputs"].get("system") for run in ledger.runs() if run["status"] == "done")
    return next((digest for digest in made if digest), None)


def system_of(ledger: Ledger, release: str, /) -> str:
    """The system that a release releases."""
    found = [made["system"] for made in _releases(ledger) if made["release"] == release]
    if not found:
        raise SpecError(f"no passing verdict made release {release[:12]}", hint="genwright status")
    return str(found[0])


def _releases(ledger: Ledger) -> list[dict[str, Any]]:
    runs = {run["id"]: run for run in ledger.runs(stage="release") if run["status"] == "done"}
    passed = [verdict for verdict in reversed(verdicts(ledger)) if verdict["passed"] and verdict["run"] in runs]
    return [
        {
            "release": runs[verdict["run"]]["outputs"]["release"],
            "system": verdict["system"],
            "scores": runs[verdict["run"]]["inputs"]["scores"],
            "run": verdict["run"],
        }
        for verdict in passed
    ]
