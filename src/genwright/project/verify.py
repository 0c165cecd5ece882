"""Re-derivation: every stored byte is hashed again, every claim is computed again."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from genwright.core.claim import Claim
from genwright.core.digest import json_digest
from genwright.core.errors import GenwrightError, IntegrityError, SpecError
from genwright.core.stage import Progress
from genwright.ledger import Ledger


@dataclass(frozen=True)
class Verified:
    """How much was checked, and every fault by name."""

    rows: int
    artifacts: int
    claims: int
    problems: tuple[str, ...]


def check_artifact(ledger: Ledger, digest: str, /) -> Path:
    """The folder of an artifact whose files have just been hashed.

    Raises:
        SpecError: the ledger does not know it.
        IntegrityError: its files are not what was stored.
    """
    rows = ledger.entries.select("kind = 'artifact' AND json_extract(body, '$.id') = ?", [digest], tail="LIMIT 1")
    if not rows:
        raise SpecError(f"no artifact {digest[:16]} in this project", hint="genwright status")
    problems = ledger.store.problems(digest, rows[0].body["files"])
    if problems:
        raise IntegrityError(
            "; ".join(problems), hint="genwright verify; genwright run makes it again if it is missing"
        )
    return ledger.store.path(digest)


def verify(ledger: Ledger, /, *, progress: Progress) -> Verified:
    """The state of rows, artifacts and claims; one changed byte is found and named."""
    problems = ledger.entries.problems()
    artifacts = claims = 0
    try:
        found, artifacts = _artifact_problems(ledger, progress)
        problems += found
        found, claims = _claim_problems(ledger, progress)
        problems += found
        rows = ledger.entries.select("1 = 1", tail="ORDER BY seq DESC LIMIT 1")
        last = rows[0].seq if rows else 0
    except IntegrityError as error:
        problems.append(error.message)
        last = 0
    return Verified(last, artifacts, claims, tuple(problems))


def _artifact_problems(ledger: Ledger, progress: Progress) -> tuple[list[str], int]:
    rows = ledger.entries.select("kind = 'artifact'")
    collected = {digest for row in ledger.entries.select("kind = 'collected'") for digest in row.body["digests"]}
    found: list[str] = []
    with progress.task("hashing artifacts", total=len(rows)) as task:
        for row in rows:
            digest = row.body["id"]
            if digest in ledger.store or digest not in collected:
                found += ledger.store.problems(digest, row.body["files"])
            task.advance()
    known = {row.body["id"] for row in rows}
    found += [
        f"artifact {digest[:12]} lies in the store but no row knows it"
        for digest in ledger.store.digests()
        if digest not in known
    ]
    return found, len(rows)


def _claim_problems(ledger: Ledger, progress: Progress) -> tuple[list[str], int]:
    claims = [claim for _, claim in ledger.claims()]
    found: list[str] = []
    with progress.task("deriving claims again", total=len(claims)) as task:
        for problem in _rederive(ledger, claims):
            task.advance()
            found += [problem] if problem else []
    return found, len(claims)


def _rederive(ledger: Ledger, claims: list[Claim]) -> Iterator[str]:
    from genwright.measure import derive, read_arrays, read_scores

    tables: dict[str, dict[str, list[Any]]] = {}
    done: dict[str, object] = {}
    for claim in claims:
        if claim.scores not in ledger.store:
            yield ""
            continue
        address = json_digest([claim.scores, claim.derivation.__dict__])
        try:
            if address not in done:
                folder = ledger.store.path(claim.scores)
                if claim.scores not in tables:
                    tables[claim.scores] = read_scores(folder)
                done[address] = derive(
                    tables[claim.scores], derivation=claim.derivation, arrays=partial(read_arrays, folder)
                )
        except (GenwrightError, ValueError, KeyError, OSError) as error:
            yield f"claim {claim.id[:12]} ({claim.metric}) cannot be derived from scores {claim.scores[:12]}: {error}"
            continue
        same = done[address] == claim.estimate
        yield (
            ""
            if same
            else f"claim {claim.id[:12]} ({claim.metric}) says {claim.estimate}; its scores say {done[address]}"
        )
