"""The runner: executes what a plan asks for, and is the only writer of the ledger."""

import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from genwright.core.claim import Claim, ClaimDraft
from genwright.core.digest import entries_digest, folder_entries
from genwright.core.errors import GateError, Interrupted, StorageError
from genwright.core.registry import load_reference
from genwright.core.stage import Artifact, Context, Progress, StageResult
from genwright.ledger import Ledger, RunRecord, Staged, exclusive
from genwright.project.machine import machine_facts
from genwright.project.meter import Meter
from genwright.project.plan import Plan, Step, stage_versions
from genwright.project.releases import fix_policy, released_before
from genwright.project.stopping import Stopping


@dataclass(frozen=True)
class Runner:
    """Executes single steps of one project."""

    ledger: Ledger
    root: Path
    progress: Progress
    stopping: Stopping
    actor: str = ""

    def execute(self, step: Step, plan: Plan, /) -> dict[str, Any]:
        """The recorded run of a step: executed here, or by another process that held its lock meanwhile.

        Raises:
            GenwrightError: the stage failed; the failed run is recorded, earlier stages are kept.
        """
        assert step.key is not None, "a step runs only when its inputs are known"
        lock = self.ledger.folder / "locks" / f"{step.key}.lock"

        def waiting() -> None:
            self.progress.say(f"{step.stage.name}: another process is running it; waiting")

        with exclusive(lock, on_wait=waiting):
            done = self.ledger.finished(step.key) if step.state == "run" else None
            if done:
                return done
            return _Execution(self, step, plan).run()

    def follow(self, step: Step, plan: Plan, /) -> None:
        """Take part in a distributed stage as a rank that does not record anything."""
        execution = _Execution(self, step, plan)
        execution.work = self.ledger.folder / "work" / f"{step.key}.rank{os.environ['RANK']}"
        execution.call()
        shutil.rmtree(execution.work, ignore_errors=True)


class _Execution:
    """One execution of one stage: its folders, its context, its record."""

    def __init__(self, runner: Runner, step: Step, plan: Plan) -> None:
        assert step.key is not None
        self.runner, self.step, self.plan, self.key = runner, step, plan, step.key
        self.ledger = runner.ledger
        self.id = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(4)}"
        self.started = _now()
        self.work = self.ledger.folder / "work" / self.key

    def run(self) -> dict[str, Any]:
        self.ledger.append("run_started", {"id": self.id, "stage": self.step.stage.name, "key": self.key})
        meter = Meter()
        try:
            result = self.call()
            self._keep(result, meter)
        except BaseException as error:
            self._fail(error, meter)
        finally:
            self.runner.stopping.stage_saves = False
        shutil.rmtree(self.work, ignore_errors=True)
        if result.verdict is not None and not result.verdict["passed"]:
            raise GateError(str(result.verdict["reason"]), hint="genwright claims; genwright show " + self.id)
        done = self.ledger.finished(self.key)
        assert done is not None, "a kept run is found again"
        return done

    def call(self) -> StageResult:
        """What the stage returns, called with a fresh scratch folder."""
        scratch = self.work / "scratch"
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            (self.work / "checkpoints").mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make a work folder in {self.ledger.folder}: {error}") from error
        stage = self.step.stage
        self.runner.stopping.stage_saves = stage.saves_on_stop
        # What torchao registers when it is imported (transformers does so where it is there) makes torch warn.
        logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
        found = load_reference(stage.run, extra=stage.extra)(self.step.config, self._context(scratch))
        assert isinstance(found, StageResult), f"stage {stage.name} returned {type(found).__name__}"
        return found

    def _context(self, scratch: Path) -> Context:
        runs = [step.run for step in self.plan.steps if step.run]
        return Context(
            root=self.runner.root,
            scratch=scratch,
            checkpoints=self.work / "checkpoints",
            inputs=self._inputs(),
            seed=self.plan.spec.project.seed,
            device=self.plan.device,
            modality=self.plan.spec.project.modality,
            progress=self.runner.progress,
            decide=self._decide,
            should_stop=lambda: self.runner.stopping.asked,
            log=self._log,
            claims=tuple(claim for run in runs for _, claim in self.ledger.claims(run=run["id"])),
            facts=self._facts(runs),
        )

    def _facts(self, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        facts: dict[str, Any] = {"threads": self.plan.threads, "versions": stage_versions(self.step.stage)}
        stage = self.step.stage
        if stage.judges:
            facts["runs"] = {run["stage"]: {**run, "started_seq": self._started_seq(run["id"])} for run in runs}
            before = released_before(self.ledger, str(self.step.inputs.get("system")))
            facts["released"] = before and {**before, "scores_path": self.ledger.store.path(before["scores"])}
        if stage.fixed:
            value = load_reference(stage.fixed)(self.step.config, self.runner.root)
            facts["fixed"] = {"value": value, "seq": fix_policy(self.ledger, value)}
        return facts

    def _started_seq(self, run: str) -> int:
        rows = self.ledger.entries.select("kind = 'run_started' AND json_extract(body, '$.id') = ?", [run])
        return rows[0].seq

    def _inputs(self) -> dict[str, Artifact]:
        found = {}
        for slot, digest in self.step.inputs.items():
            artifact = self.ledger.artifact(digest) if digest else None
            assert artifact is not None, f"input {slot} of {self.step.stage.name} is known before it runs"
            found[slot] = artifact
        return found

    def _decide(self, name: str, make: Callable[[], Any]) -> Any:
        row = self.ledger.decision(self.key, name)
        if row is None:
            self.ledger.append("decision", {"key": self.key, "name": name, "value": make(), "run": self.id})
            row = self.ledger.decision(self.key, name)
        return row["value"]

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        folder = self.ledger.folder / "logs"
        folder.mkdir(exist_ok=True)
        with (folder / f"{self.id}.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": step, **values}) + "\n")

    # --- keeping ---------------------------------------------------------------------------------------------

    def _keep(self, result: StageResult, meter: Meter) -> None:
        staged = {
            slot: Staged(made.kind, made.path, folder_entries(made.path)) for slot, made in result.artifacts.items()
        }
        passed = result.verdict is None or bool(result.verdict["passed"])
        missing = [slot for slot in self.step.stage.outputs if slot not in staged]
        assert not (missing and passed), f"stage {self.step.stage.name} did not make {', '.join(missing)}"
        digests = {slot: entries_digest(output.files) for slot, output in staged.items()}
        claims = self._claims(result, digests)
        status = "done" if passed else "gate_failed"
        reason = "" if passed else str(result.verdict and result.verdict["reason"])
        record = self._record(status, outputs=digests, meter=meter, error=reason)
        self.ledger.commit(record, staged=list(staged.values()), claims=claims, verdict=result.verdict)

    def _claims(self, result: StageResult, digests: Mapping[str, str]) -> list[Claim]:
        if not result.claims:
            return []
        from genwright.measure import derive, read_arrays, read_scores

        paths = {slot: artifact.path for slot, artifact in self._inputs().items()}
        paths |= {slot: made.path for slot, made in result.artifacts.items()}
        names = {slot: str(digest) for slot, digest in self.step.inputs.items()} | dict(digests)
        tables = {slot: read_scores(paths[slot]) for slot in {draft.scores for draft in result.claims}}
        arrays = {slot: partial(read_arrays, paths[slot]) for slot in tables}
        return [
            self._claim(
                draft,
                names,
                derive(tables[draft.scores], derivation=draft.derivation, arrays=arrays[draft.scores]),
            )
            for draft in result.claims
        ]

    def _claim(self, draft: ClaimDraft, names: Mapping[str, str], estimate: Any) -> Claim:
        return Claim(
            subject=names[draft.subject],
            label=draft.label,
            metric=draft.metric,
            version=draft.version,
            unit=draft.unit,
            estimate=estimate,
            derivation=draft.derivation,
            scores=names[draft.scores],
            data=names[draft.data] if draft.data else None,
            better=draft.better,
            headline=draft.headline,
            run=self.id,
            actor=self.runner.actor,
            created=_now(),
        )

    def _record(self, status: str, *, outputs: Mapping[str, str], meter: Meter, error: str) -> RunRecord:
        spec = self.plan.spec
        return RunRecord(
            id=self.id,
            stage=self.step.stage.name,
            key=self.key,
            status=status,
            variant=spec.variant,
            inputs={slot: str(digest) for slot, digest in self.step.inputs.items()},
            outputs=dict(outputs),
            config=self.step.config.model_dump(mode="json"),
            spec_digest=spec.digest,
            seed=spec.project.seed,
            versions=stage_versions(self.step.stage),
            machine={**machine_facts(), "device": self.plan.device, "threads": self.plan.threads},
            started=self.started,
            cost=meter.cost(),
            actor=self.runner.actor,
            error=error,
        )

    def _fail(self, error: BaseException, meter: Meter) -> NoReturn:
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        record = self._record(
            "interrupted" if stopped else "failed", outputs={}, meter=meter, error=f"{type(error).__name__}: {error}"
        )
        try:
            self.ledger.commit(record)
        except StorageError as second:
            self.runner.progress.say(f"the failed run could not be recorded: {second.message}")
        name = self.step.stage.name
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped during {name}", hint="genwright run goes on from here") from None
        if isinstance(error, OSError):
            raise StorageError(f"stage {name}: {error}", hint="nothing was lost: mend this and run again") from error
        raise error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
