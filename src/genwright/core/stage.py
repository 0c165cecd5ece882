"""What a stage is: a declaration that planning reads, and a function that the runner calls."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from genwright.core.claim import Claim, ClaimDraft
from genwright.core.config import Config
from genwright.core.rng import derive_seed


@dataclass(frozen=True)
class Artifact:
    """An immutable folder in the store, known by the digest of its contents."""

    kind: str
    digest: str
    path: Path


@dataclass(frozen=True)
class Produced:
    """A folder a stage has filled in its scratch space; the runner moves it into the store."""

    kind: str
    path: Path


@dataclass(frozen=True)
class StageResult:
    """What a stage hands back: produced folders by slot name, claims about them, and (release only) a verdict."""

    artifacts: Mapping[str, Produced]
    claims: Sequence[ClaimDraft] = ()
    verdict: Mapping[str, Any] | None = None


class Task(Protocol):
    """A running bar: `advance` by an amount, with a short note beside it."""

    def advance(self, amount: float = 1, /, *, note: str = "") -> None: ...


class Progress(Protocol):
    """Where long work reports; total None means unknown."""

    def task(self, title: str, /, *, total: float | None) -> AbstractContextManager[Task]: ...
    def say(self, message: str, /) -> None: ...


@dataclass(frozen=True)
class Context:
    """All a stage may touch besides its inputs.

    `scratch` is empty at the start and gone at the end; `checkpoints` outlives a kill and is the
    same folder for the same cache key; `decide(name, make)` returns the decision recorded for this
    cache key, or records what `make()` returns (a calibration, so that repeat and resume agree);
    `should_stop()` turns true after Ctrl-C: save a checkpoint and raise `Interrupted`;
    `log(step, values)` appends to the run's metric log (never part of an artifact's digest);
    `claims` are the claims of all earlier stages of this plan; `facts` holds what the runner knows:
    `threads` (use exactly so many), and `fixed`, `released`, `runs` for stages that judge.
    """

    root: Path
    scratch: Path
    checkpoints: Path
    inputs: Mapping[str, Artifact]
    seed: int
    device: str
    modality: str
    progress: Progress
    decide: Callable[[str, Callable[[], Any]], Any]
    should_stop: Callable[[], bool]
    log: Callable[[int, Mapping[str, float]], None]
    claims: Sequence[Claim] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def seed_for(self, name: str) -> int:
        """The seed of the named random stream of this run."""
        return derive_seed(self.seed, name)

    def folder(self, name: str) -> Path:
        """A fresh folder in scratch for one output."""
        path = self.scratch / name
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True)
class StageSpec:
    """The declaration of a stage, importable without torch.

    `order` places it in the life of a system; `inputs` are slots made by earlier stages (the last one that makes a
    slot counts; `slot:stage` is what that stage made), `optional` those it takes when there; `outputs` maps slots to
    artifact kinds; `version` changes when the code's results change; `libraries` are distributions whose versions
    enter the cache key; `external` names a `(config, root) -> str` digest of what is read from outside the store;
    `config_for` names a `(modality) -> type[Config]` where settings differ by modality (`config` holds for text);
    `settle` names a `(section, whole table, modality) -> section` that fills in what follows from other sections;
    `check` names a `(configs by stage, modality) -> None` that raises at planning;
    `ready` names a `(config, folder of the first input, *, modality, root) -> None` that raises once that input is
    there, before the stages in between run;
    `summary` names a `(configs by stage) -> str`, what the settings come to, for a plan to show;
    `device_bound` puts the device class and thread count into the key; `distributed` stages run on every
    rank under torchrun; `saves_on_stop` stages watch `should_stop` themselves; `fixed` names a
    `(config, root) -> JSON` that the ledger must hold before any stage of the plan starts (thresholds), given to
    the stage as `facts["fixed"]`; `judges` stages get `facts["released"]`, the newest release of another system,
    and `facts["runs"]`, the places in the ledger where the earlier stages started.
    """

    name: str
    order: int
    version: str
    config: type[Config]
    run: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    optional: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    external: str | None = None
    config_for: str | None = None
    settle: str | None = None
    check: str | None = None
    ready: str | None = None
    summary: str | None = None
    device_bound: bool = False
    distributed: bool = False
    saves_on_stop: bool = False
    fixed: str | None = None
    judges: bool = False
    extra: str | None = None
