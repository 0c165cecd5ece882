"""Garbage collection: what no kept run refers to."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.ledger import Ledger, exclusive, is_held
from genwright.project.plan import Plan
from genwright.project.releases import verdicts


@dataclass(frozen=True)
class Garbage:
    """Artifacts as (digest, kind, bytes), and left-over work folders."""

    artifacts: tuple[tuple[str, str, int], ...]
    work: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """What freeing the artifacts gives back."""
        return sum(size for _, _, size in self.artifacts)


def find_garbage(ledger: Ledger, plans: Sequence[Plan], /) -> Garbage:
    """What can go: artifacts outside the current plans, the releases and all they were made from."""
    runs = ledger.runs(limit=10**9)
    kept = {step.run["id"] for plan in plans for step in plan.steps if step.run}
    kept |= {verdict["run"] for verdict in verdicts(ledger) if verdict["passed"]}
    digests = _closure(runs, kept)
    sizes = {
        row.body["id"]: (row.body["kind"], sum(file[1] for file in row.body["files"]))
        for row in ledger.entries.select("kind = 'artifact'")
    }
    artifacts = tuple(
        (digest, *sizes[digest]) for digest in ledger.store.digests() if digest in sizes and digest not in digests
    )
    work = ledger.folder / "work"
    stale = sorted(path.name for path in work.iterdir() if not _in_use(ledger, path.name)) if work.is_dir() else []
    return Garbage(artifacts, tuple(stale))


def _closure(runs: Sequence[Mapping[str, Any]], kept: set[str]) -> set[str]:
    digests: set[str] = set()
    for run in runs:  # newest first, so a maker comes after its users
        makes = set(run["outputs"].values())
        if run["id"] in kept or (run["status"] == "done" and makes & digests):
            digests |= makes | set(run["inputs"].values())
    return digests


def _in_use(ledger: Ledger, name: str) -> bool:
    return is_held(ledger.folder / "locks" / f"{name.partition('.')[0]}.lock")


def collect(ledger: Ledger, garbage: Garbage, /) -> int:
    """The bytes freed; the ledger keeps a row of what went."""
    with exclusive(ledger.folder / "commit.lock"):
        if garbage.artifacts:
            ledger.append("collected", {"digests": [digest for digest, _, _ in garbage.artifacts]})
        freed = sum(ledger.store.remove(digest) for digest, _, _ in garbage.artifacts if digest in ledger.store)
    for name in garbage.work:
        shutil.rmtree(ledger.folder / "work" / name, ignore_errors=True)
    return freed
