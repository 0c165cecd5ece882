"""A project on disk: everything the command line can do, from Python."""

import getpass
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from genwright.core.claim import Claim
from genwright.core.errors import GateError, SpecError
from genwright.core.registry import load_reference
from genwright.core.stage import Progress
from genwright.ledger import Ledger
from genwright.project.collect import Garbage, collect, find_garbage
from genwright.project.compare import Comparison, compare
from genwright.project.differences import differences
from genwright.project.plan import Plan, Step, make_plan, next_step
from genwright.project.quiet import Quiet
from genwright.project.releases import fix_policy, newest_release, newest_system, system_of, verdicts
from genwright.project.run import Runner
from genwright.project.spec import SPEC_FILE, Spec, load_specs
from genwright.project.stopping import Stopping
from genwright.project.verify import Verified, check_artifact, verify

FOLDER = ".genwright"


@dataclass(frozen=True)
class Finished:
    """A variant after a run: its steps, each with the recorded run, and the claims they made."""

    variant: str
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    failure: GateError | None = None


class Project:
    """A folder with `genwright.toml`; its memory is `.genwright/` beside it."""

    def __init__(self, root: Path, /) -> None:
        self.root = root

    @classmethod
    def find(cls, path: str | os.PathLike[str] = ".", /) -> Self:
        """The project in `path` or the nearest folder above it.

        Raises:
            SpecError: there is none.
        """
        start = Path(path).resolve()
        for folder in (start, *start.parents):
            if (folder / SPEC_FILE).is_file():
                return cls(folder)
        raise SpecError(
            f"no {SPEC_FILE} in {start} or above it",
            hint="genwright new python-prose DIR makes a project from a recipe",
        )

    @cached_property
    def ledger(self) -> Ledger:
        """What the project remembers."""
        return Ledger(self.root / FOLDER)

    def specs(self, overrides: Sequence[str] = (), /) -> list[Spec]:
        """The variants that the project file asks for."""
        return load_specs(self.root / SPEC_FILE, overrides=overrides)

    def plan(
        self, stages: Sequence[str] = (), /, *, overrides: Sequence[str] = (), again: Sequence[str] = ()
    ) -> list[Plan]:
        """What a run would do, one plan per variant; nothing is executed."""
        return [self._plan(spec, stages, again) for spec in self.specs(overrides)]

    def _plan(self, spec: Spec, stages: Sequence[str], again: Sequence[str]) -> Plan:
        return make_plan(spec, ledger=self.ledger, root=self.root, until=stages, again=again, world_size=_world_size())

    def run(
        self,
        stages: Sequence[str] = (),
        /,
        *,
        overrides: Sequence[str] = (),
        again: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> list[Finished]:
        """Every variant after its stages have run; what is done already is a hit.

        Raises:
            GateError: a policy said no (after all variants have been tried).
            GenwrightError: a stage failed; what was finished before is kept.
        """
        watched = progress or Quiet()
        plans = self.plan(stages, overrides=overrides, again=again)
        if _rank() > 0:
            return [self._follow(plan, watched) for plan in plans]
        self.ledger.sweep()
        for plan in plans:
            self._fix(plan)
        with Stopping() as stopping:
            runner = Runner(self.ledger, self.root, watched, stopping, actor=_actor())
            done = [self._finish(plan, runner) for plan in plans]
        failures = [finished.failure for finished in done if finished.failure]
        if failures:
            raise failures[0]
        return done

    def _fix(self, plan: Plan) -> None:
        for step in plan.steps:
            if step.stage.fixed:
                fix_policy(self.ledger, load_reference(step.stage.fixed)(step.config, self.root))

    def _finish(self, plan: Plan, runner: Runner) -> Finished:
        current, failure = replace(plan, steps=()), None
        ready: set[str] = set()
        for place, planned in enumerate(plan.steps):
            step = self._fresh(current, planned)
            if step.state != "hit":
                self._look_ahead(current, plan.steps[place + 1 :], ready)
                title = f"{planned.stage.name}{f' [{plan.spec.variant}]' if plan.spec.variant else ''}"
                runner.progress.say(f"▸ {title}")
                try:
                    step = replace(step, run=runner.execute(step, current))
                except GateError as error:
                    failure = error
                    break
            else:
                runner.progress.say(f"▸ {planned.stage.name}: hit, run {str(step.run and step.run['id'])[:12]}")
            current = replace(current, steps=(*current.steps, step))
        return Finished(plan.spec.variant, current.steps, self._claims_of(current.steps), failure)

    def _look_ahead(self, current: Plan, later: Sequence[Step], ready: set[str]) -> None:
        """Asks stages further on whether the input they start from suits them, once, before the work in between."""
        made = {slot: digest for step in current.steps if step.run for slot, digest in step.run["outputs"].items()}
        for step in later:
            stage = step.stage
            if stage.ready is None or stage.name in ready or stage.inputs[0] not in made:
                continue
            folder = self.ledger.store.path(made[stage.inputs[0]])
            load_reference(stage.ready, extra=stage.extra)(
                step.config, folder, modality=current.spec.project.modality, root=self.root
            )
            ready.add(stage.name)

    def _fresh(self, current: Plan, planned: Step) -> Step:
        step = next_step(current, planned.stage, ledger=self.ledger, root=self.root, world_size=planned.world_size)
        return replace(step, state="again", run=None) if planned.state == "again" else step

    def _follow(self, plan: Plan, progress: Progress) -> Finished:
        """Other ranks under torchrun: wait for each stage of rank 0, and take part in the distributed ones."""
        current = replace(plan, steps=())
        with Stopping() as stopping:
            runner = Runner(self.ledger, self.root, progress, stopping)
            for planned in plan.steps:
                step = self._fresh(current, planned)
                if step.state != "hit" and planned.stage.distributed:
                    runner.follow(step, current)
                current = replace(current, steps=(*current.steps, self._await_run(current, planned)))
        return Finished(plan.spec.variant, current.steps, ())

    def _await_run(self, current: Plan, planned: Step) -> Step:
        waiting = replace(planned, state="run")
        while (step := self._fresh(current, waiting)).run is None:
            time.sleep(0.2)
        return step

    def _claims_of(self, steps: Sequence[Step]) -> tuple[Claim, ...]:
        runs = [step.run["id"] for step in steps if step.run]
        return tuple(claim for run in runs for _, claim in self.ledger.claims(run=run))

    def current_claims(self, *, overrides: Sequence[str] = ()) -> Mapping[str, tuple[Claim, ...]]:
        """The claims of what the project file describes now, by variant."""
        return {plan.spec.variant: self._claims_of(plan.steps) for plan in self.plan(overrides=overrides)}

    def status(self, *, overrides: Sequence[str] = ()) -> dict[str, Any]:
        """Stages of every variant, counts, costs of the newest runs, and the newest release; plain JSON."""
        runs = self.ledger.runs(limit=1000)
        release = newest_release(self.ledger)
        plans = self.plan(overrides=overrides)
        stages = [
            {
                "variant": plan.spec.variant or "-",
                "stage": step.stage.name,
                "state": step.state,
                "why": step.why,
                "wall_s": step.run["cost"]["wall_s"] if step.run else None,
            }
            for plan in plans
            for step in plan.steps
        ]
        return {
            "project": plans[0].spec.project.name,
            "stages": stages,
            "runs": self.ledger.entries.count("run"),
            "claims": self.ledger.entries.count("claim"),
            "artifacts": self.ledger.entries.count("artifact"),
            "costed_runs": len(runs),
            "wall_s": sum(run["cost"]["wall_s"] for run in runs),
            "energy_joules": sum(run["cost"]["energy"]["joules"] for run in runs),
            "release": release and release["release"],
        }

    def show(self, prefix: str, /) -> dict[str, Any]:
        """All that the ledger holds about the one id that starts with `prefix`."""
        entry = self.ledger.find(prefix)
        shown: dict[str, Any] = {"kind": entry.kind, "row": entry.seq, **entry.body}
        if entry.kind == "artifact":
            digest = entry.body["id"]
            shown["artifact_kind"] = entry.body["kind"]
            shown["path"] = str(self.ledger.store.path(digest))
            shown["stored"] = digest in self.ledger.store
            shown["claims"] = [claim.id for _, claim in self.ledger.claims(subject=digest)]
        if entry.kind == "run":
            shown["claims"] = [claim.id for _, claim in self.ledger.claims(run=entry.body["id"])]
        return shown

    def diff(self, a: str, b: str, /) -> list[str]:
        """How the artifact whose id starts with `b` differs from that of `a`: lines of a unified diff.

        Raises:
            SpecError: one of them is no artifact.
            IntegrityError: a file is not what was stored.
        """
        found = [self.ledger.find(prefix) for prefix in (a, b)]
        for prefix, entry in zip((a, b), found, strict=True):
            if entry.kind != "artifact":
                raise SpecError(f"{prefix} is a {entry.kind}, not an artifact", hint="genwright show ID names outputs")
        left, right = (str(entry.body["id"]) for entry in found)
        paths = self.checked_path(left), self.checked_path(right)
        return list(differences(*paths, names=(left[:12], right[:12])))

    def verdicts(self) -> list[dict[str, Any]]:
        """All verdicts, oldest first."""
        return verdicts(self.ledger)

    def compare(self, sides: Sequence[str] = (), /, *, overrides: Sequence[str] = ()) -> Comparison:
        """Sides metric by metric with paired differences; without names, the variants of the matrix."""
        return compare(self, sides, overrides=overrides)

    def verify(self, *, progress: Progress | None = None) -> Verified:
        """The state of every row, artifact and claim."""
        return verify(self.ledger, progress=progress or Quiet())

    def garbage(self) -> Garbage:
        """What no kept run refers to."""
        return find_garbage(self.ledger, self.plan())

    def collect(self, garbage: Garbage, /) -> int:
        """The bytes freed."""
        return collect(self.ledger, garbage)

    def resolve_system(self, prefix: str | None, /) -> tuple[str, bool]:
        """The digest of a system, and whether a policy has passed it.

        `prefix` starts the id of a release or a system; None is the newest release.

        Raises:
            SpecError: nothing is released, or the id is of another kind.
        """
        if prefix is None:
            release = newest_release(self.ledger)
            if release is None:
                made = newest_system(self.ledger)
                hint = f"genwright run, or --system {made[:12]} for the newest system that was made" if made else None
                raise SpecError("nothing is released in this project yet", hint=hint or "genwright run")
            return str(release["system"]), True
        entry = self.ledger.find(prefix)
        kind, digest = entry.body.get("kind"), str(entry.body["id"])
        if kind == "release":
            digest = system_of(self.ledger, digest)
        elif kind != "system":
            raise SpecError(f"{prefix} is a {kind or entry.kind}; give a release or a system", hint="genwright status")
        return digest, any(verdict["passed"] for verdict in verdicts(self.ledger, system=digest))

    def system(self, digest: str, /) -> Any:
        """A loaded system, ready to generate; every file it uses is checked against its digest first."""
        return load_reference("genwright.systems:load_system", extra="train")(
            self.checked_path(digest), locate=self.checked_path
        )

    def checked_path(self, digest: str, /) -> Path:
        """The folder of an artifact, after its files have been hashed and found to be what was stored.

        Raises:
            IntegrityError: they are not.
        """
        return check_artifact(self.ledger, digest)


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def is_follower() -> bool:
    """Whether torchrun started this process beside the one that records and reports."""
    return _rank() > 0


def _world_size() -> int:
    """Processes started together by torchrun; it enters the cache key, so it changes no result unseen."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))
