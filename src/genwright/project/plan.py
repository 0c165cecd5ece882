"""The plan: which stages run, under which cache key, and what is already there. Imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from genwright import __version__
from genwright.core.config import Config
from genwright.core.digest import json_digest
from genwright.core.errors import CapabilityError, SpecError
from genwright.core.registry import load_reference
from genwright.core.stage import StageSpec
from genwright.ledger import Ledger
from genwright.project.machine import available_cores, library_version, machine_facts, resolve_device
from genwright.project.releases import released_before
from genwright.project.spec import Spec, stage_specs

State = Literal["hit", "run", "again"]


@dataclass(frozen=True)
class Step:
    """One stage of a plan. `key` is None while an input is not known yet; a hit carries its recorded run."""

    stage: StageSpec
    config: Config
    state: State
    key: str | None
    inputs: Mapping[str, str | None]
    run: Mapping[str, Any] | None = None
    world_size: int = 1

    @property
    def why(self) -> str:
        """Why the stage runs, or that it is a hit."""
        if self.state == "hit":
            return "hit"
        if self.state == "again":
            return "asked to run again"
        missing = [slot for slot, digest in self.inputs.items() if digest is None]
        return f"waits for {', '.join(missing)}" if missing else "no finished run with this key"


@dataclass(frozen=True)
class Plan:
    """The steps of one variant in order."""

    spec: Spec
    steps: tuple[Step, ...]
    device: str
    threads: int


def make_plan(
    spec: Spec,
    /,
    *,
    ledger: Ledger,
    root: Path,
    until: Sequence[str] = (),
    again: Sequence[str] = (),
    world_size: int = 1,
) -> Plan:
    """The plan of a variant; `until` names stages to reach (all if empty), with what they need.

    Raises:
        SpecError: a named stage has no section, or an input has no stage that makes it.
        CapabilityError: two parts do not fit.
    """
    chosen = _chosen(spec, until)
    for name in again:
        if name not in {stage.name for stage in chosen}:
            raise SpecError(f"--again {name}: that stage is not part of this plan")
    device = resolve_device(spec.project.device)
    plan = Plan(spec, (), device, spec.project.threads or available_cores())
    _check(spec, chosen)
    for stage in chosen:
        step = next_step(plan, stage, ledger=ledger, root=root, world_size=world_size)
        if stage.name in again:
            step = replace(step, state="again", run=None)
        plan = replace(plan, steps=(*plan.steps, step))
    return plan


def _chosen(spec: Spec, until: Sequence[str]) -> list[StageSpec]:
    present = [stage for stage in stage_specs() if stage.name in spec.stages]
    for name in until:
        if name not in spec.stages:
            raise SpecError(f"no section [{name}] in the project (it has: {', '.join(spec.stages)})")
    wanted = set(until) or {stage.name for stage in present}
    for place, stage in reversed(list(enumerate(present))):
        if stage.name not in wanted:
            continue
        makers = _makers(present[:place])
        for slot in stage.inputs:
            if slot not in makers:
                _check(spec, present)  # says more, where sections do not go together
                raise SpecError(
                    f"stage [{stage.name}] needs a {slot}, and no section of this project makes one",
                    hint=f"add the section that makes a {slot}",
                )
            wanted.add(makers[slot].name)
        wanted.update(makers[slot].name for slot in stage.optional if slot in makers)
    return [stage for stage in present if stage.name in wanted]


def _makers(stages: Sequence[StageSpec]) -> dict[str, StageSpec]:
    """The stage that each slot comes from: the last one that makes it; `slot:stage` is what that stage made."""
    makers: dict[str, StageSpec] = {}
    for stage in stages:
        makers |= {name: stage for slot in stage.outputs for name in (slot, f"{slot}:{stage.name}")}
    return makers


def _check(spec: Spec, chosen: Sequence[StageSpec]) -> None:
    for stage in chosen:
        if stage.check:
            load_reference(stage.check)(spec.stages, spec.project.modality)
        for library in stage.libraries:
            if library_version(library) is None and stage.extra is None:
                raise CapabilityError(f"stage [{stage.name}] uses '{library}', which is not installed")


def next_step(plan: Plan, stage: StageSpec, /, *, ledger: Ledger, root: Path, world_size: int = 1) -> Step:
    """The step of `stage` after the steps that `plan` holds already."""
    config = plan.spec.stages[stage.name]
    made: dict[str, str | None] = {}
    for step in plan.steps:
        for slot in step.stage.outputs:
            digest = step.run["outputs"].get(slot) if step.run else None
            made |= {slot: digest, f"{slot}:{step.stage.name}": digest}
    wanted = [*stage.inputs, *(slot for slot in stage.optional if slot in made)]
    inputs = {slot: made[slot] for slot in wanted}
    if any(digest is None for digest in inputs.values()):
        return Step(stage, config, "run", None, inputs, world_size=world_size)
    key = _key(plan, stage, inputs, ledger=ledger, root=root, world_size=world_size)
    run = ledger.finished(key)
    return Step(stage, config, "hit" if run else "run", key, inputs, run, world_size)


def _key(
    plan: Plan, stage: StageSpec, inputs: Mapping[str, Any], *, ledger: Ledger, root: Path, world_size: int
) -> str:
    config = plan.spec.stages[stage.name]
    device = {
        "device": plan.device,
        "threads": plan.threads,
        "cpu": machine_facts()["cpu"],
        "world_size": world_size if stage.distributed else 1,
    }
    released = released_before(ledger, str(inputs.get("system"))) if stage.judges else None
    return json_digest(
        {
            "stage": stage.name,
            "version": stage.version,
            "config": config.model_dump(mode="json"),
            "inputs": inputs,
            "seed": plan.spec.project.seed,
            "modality": plan.spec.project.modality,
            "device": device if stage.device_bound else None,
            "libraries": stage_versions(stage),
            "external": load_reference(stage.external)(config, root) if stage.external else None,
            "fixed": load_reference(stage.fixed)(config, root) if stage.fixed else None,
            "released": released["release"] if released else None,
        }
    )


def stage_versions(stage: StageSpec, /) -> dict[str, str]:
    """The versions that a stage's results depend on."""
    return {name: library_version(name) or "missing" for name in stage.libraries} | {
        "genwright": __version__,
        stage.name: stage.version,
    }
