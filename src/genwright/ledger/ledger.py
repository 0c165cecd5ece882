"""What a project remembers: one chain of rows, one store of artifacts, and the questions asked of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genwright.core.claim import Claim, Derivation, Estimate
from genwright.core.digest import FileEntry, json_digest
from genwright.core.errors import SpecError
from genwright.core.lock import exclusive
from genwright.core.stage import Artifact
from genwright.ledger.entries import Entries, Entry, Kind
from genwright.ledger.store import Store

CLAIM_FIELDS = tuple(field for field in Claim.__dataclass_fields__ if field not in ("estimate", "derivation"))


@dataclass(frozen=True)
class RunRecord:
    """One execution of one stage, as it is kept. Times are UTC, ISO 8601; energy is in joules."""

    id: str
    stage: str
    key: str
    status: str
    variant: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    config: Mapping[str, Any]
    spec_digest: str
    seed: int
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    started: str
    cost: Mapping[str, Any]
    actor: str
    error: str = ""


@dataclass(frozen=True)
class Staged:
    """A filled folder on its way into the store, with the files it holds."""

    kind: str
    folder: Path
    files: tuple[FileEntry, ...]


class Ledger:
    """The `.genwright` folder. Only `genwright.project` writes through it."""

    def __init__(self, folder: Path, /) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "objects").mkdir(exist_ok=True)
        self.entries = Entries(folder / "ledger.sqlite")
        self.store = Store(folder / "objects")

    def close(self) -> None:
        """Release the files."""
        self.entries.close()

    # --- writing -------------------------------------------------------------------------------------------

    def append(self, kind: Kind, body: Mapping[str, Any], /) -> int:
        """The place of the new row in the chain."""
        return self.entries.append([(kind, dict(body))])

    def commit(
        self,
        record: RunRecord,
        /,
        *,
        staged: Sequence[Staged] = (),
        claims: Sequence[Claim] = (),
        verdict: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep a finished run: artifacts, claims, verdict and the run row become visible together.

        An artifact without a row can exist only after a kill in here; `sweep`, under the same lock, removes it.
        """
        with exclusive(self.folder / "commit.lock"):
            rows: list[tuple[Kind, dict[str, Any]]] = []
            for output in staged:
                digest = self.store.adopt(output.folder, files=output.files)
                if self.artifact(digest) is None:
                    listed = [[f.path, f.size_bytes, f.sha256] for f in output.files]
                    rows.append(("artifact", {"id": digest, "kind": output.kind, "run": record.id, "files": listed}))
            rows += [("claim", {**claim.to_json(), "stage": record.stage}) for claim in claims]
            if verdict is not None:
                rows.append(("verdict", {**verdict, "id": json_digest(verdict), "run": record.id}))
            rows.append(("run", asdict(record)))
            self.entries.append(rows)

    def sweep(self) -> list[str]:
        """Remove what a killed process left in the store without a row; returns the digests."""
        with exclusive(self.folder / "commit.lock"):
            return self.store.sweep({entry.body["id"] for entry in self.entries.select("kind = 'artifact'")})

    # --- reading -------------------------------------------------------------------------------------------

    def artifact(self, digest: str, /) -> Artifact | None:
        """The artifact of that digest, if a row knows it."""
        found = self.entries.select("kind = 'artifact' AND json_extract(body, '$.id') = ?", [digest], tail="LIMIT 1")
        return Artifact(found[0].body["kind"], digest, self.store.path(digest)) if found else None

    def finished(self, key: str, /) -> dict[str, Any] | None:
        """The newest successful run of a cache key whose outputs are all still in the store."""
        rows = self.entries.select("kind = 'run' AND json_extract(body, '$.key') = ?", [key], tail="ORDER BY seq DESC")
        for row in rows:
            if row.body["status"] == "done" and all(digest in self.store for digest in row.body["outputs"].values()):
                return {**row.body, "seq": row.seq}
        return None

    def runs(self, *, limit: int = 1000, stage: str | None = None) -> list[dict[str, Any]]:
        """The newest runs first."""
        where, values = "kind = 'run'", []
        if stage:
            where, values = where + " AND json_extract(body, '$.stage') = ?", [stage]
        rows = self.entries.select(where, values, tail=f"ORDER BY seq DESC LIMIT {int(limit)}")
        return [{**row.body, "seq": row.seq} for row in rows]

    def claims(
        self,
        *,
        run: str | None = None,
        metric: str | None = None,
        subject: str | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> list[tuple[int, Claim]]:
        """Claims with their place in the chain, oldest first; the newest `limit` of those that match."""
        where, values = ["kind = 'claim'"], []
        for name, value in (("run", run), ("metric", metric), ("subject", subject)):
            if value is not None:
                where.append(f"json_extract(body, '$.{name}') = ?")
                values.append(value)
        if before is not None:
            where.append(f"seq < {int(before)}")
        tail = "ORDER BY seq DESC" + (f" LIMIT {int(limit)}" if limit is not None else "")
        rows = self.entries.select(" AND ".join(where), values, tail=tail)
        return [(row.seq, claim_of(row.body)) for row in reversed(rows)]

    def decision(self, key: str, name: str, /) -> Any:
        """The recorded decision `{"value": ...}` of a cache key, or None."""
        rows = self.entries.select(
            "kind = 'decision' AND json_extract(body, '$.key') = ? AND json_extract(body, '$.name') = ?",
            [key, name],
            tail="ORDER BY seq LIMIT 1",
        )
        return rows[0].body if rows else None

    def find(self, prefix: str, /) -> Entry:
        """The one run, artifact or claim whose id starts with `prefix`.

        Raises:
            SpecError: none or several do.
        """
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
        found: dict[str, Entry] = {}
        for kind in ("run", "artifact", "claim", "verdict", "policy"):
            for row in self.entries.select(
                "kind = ? AND json_extract(body, '$.id') >= ? AND json_extract(body, '$.id') < ?",
                [kind, prefix, last],
                tail="ORDER BY seq LIMIT 20",
            ):
                found[row.body["id"]] = row
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise SpecError(f"nothing in the ledger has an id that starts with '{prefix}'", hint="genwright status")
        names = ", ".join(f"{row.kind} {name[:16]}" for name, row in list(found.items())[:6])
        raise SpecError(f"'{prefix}' is ambiguous: {names}; give more characters")


def claim_of(body: Mapping[str, Any], /) -> Claim:
    """The claim a ledger row holds."""
    plain = {name: body[name] for name in CLAIM_FIELDS}
    return Claim(**plain, estimate=Estimate(**body["estimate"]), derivation=Derivation(**body["derivation"]))
