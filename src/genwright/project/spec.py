"""The project file: TOML plus `--set`, checked, expanded by its matrix."""

import difflib
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from genwright.core.config import Config, read_toml
from genwright.core.digest import json_digest
from genwright.core.errors import SpecError
from genwright.core.registry import kinds, load_reference, registered
from genwright.core.stage import StageSpec

SPEC_FILE = "genwright.toml"
SECTIONS = ("project", "matrix")


class ProjectConfig(Config):
    """What holds for every stage: `seed` starts all random streams, `threads` fixes the CPU threads (None: all)."""

    name: str = Field(min_length=1)
    modality: str = "text"
    seed: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Spec:
    """One resolved variant of a project: its settings, and a Config for every stage that has a section."""

    project: ProjectConfig
    stages: Mapping[str, Config]
    variant: str = ""

    def resolved(self) -> dict[str, Any]:
        """Every setting with its defaults filled in, as plain JSON."""
        stages = {name: config.model_dump(mode="json") for name, config in self.stages.items()}
        return {"project": self.project.model_dump(mode="json"), **stages}

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved settings."""
        return json_digest(self.resolved())


def stage_specs() -> list[StageSpec]:
    """Every registered stage in the order of a system's life."""
    return sorted((registered("stages", name) for name in kinds("stages")), key=lambda stage: (stage.order, stage.name))


def load_specs(path: Path, /, *, overrides: Sequence[str] = ()) -> list[Spec]:
    """The variants a project file asks for: one, or one per cell of its `[matrix]`.

    Raises:
        SpecError: the file or an override is wrong; the message names file, section and key.
    """
    table = read_toml(path)
    for override in overrides:
        _apply(table, override)
    matrix = table.pop("matrix", {})
    return [_checked(cell, path=path, variant=label) for label, cell in _expand(table, matrix, path=path)]


def _expand(table: dict[str, Any], matrix: Mapping[str, Any], *, path: Path) -> list[tuple[str, dict[str, Any]]]:
    for key, values in matrix.items():
        if not isinstance(values, list) or not values:
            raise SpecError(f"{path}: matrix.{key} must be a list of values (got {values!r})")
    shown = {key: _labels(values) for key, values in matrix.items()}
    cells = []
    for places in itertools.product(*(range(len(values)) for values in matrix.values())):
        cell, labels = _copy(table), []
        for key, at in zip(matrix, places, strict=True):
            set_path(cell, key, _copy(matrix[key][at]))
            labels.append(f"{key.rpartition('.')[2]}={shown[key][at]}")
        cells.append((",".join(labels), cell))
    names = [label for label, _ in cells]
    if len(set(names)) < len(names):
        raise SpecError(
            f"{path}: [matrix] gives two variants the same name: {', '.join(sorted(names))}",
            hint="leave out the one that is there twice",
        )
    return cells


def _labels(values: Sequence[Any]) -> list[str]:
    """What the values are called: by their kind, with their other settings where two have the same one."""
    kinds_alone = [str(value.get("kind", value) if isinstance(value, dict) else value) for value in values]
    return [
        name if kinds_alone.count(name) == 1 or not isinstance(value, dict) else "+".join([name, *_told(value)])
        for name, value in zip(kinds_alone, values, strict=True)
    ]


def _told(value: Mapping[str, Any]) -> list[str]:
    rest = {key: item for key, item in value.items() if key != "kind"}
    return [f"{key}:{item.get('kind', item) if isinstance(item, dict) else item}" for key, item in rest.items()]


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _checked(table: dict[str, Any], *, path: Path, variant: str) -> Spec:
    specs = {stage.name: stage for stage in stage_specs()}
    known = [*SECTIONS, *specs]
    for section, body in table.items():
        if section not in known:
            near = difflib.get_close_matches(section, known, n=1)
            tail = f"did you mean [{near[0]}]?" if near else f"known sections: {', '.join(known)}"
            raise SpecError(f"{path}: unknown section [{section}]; {tail}")
        if not isinstance(body, dict):
            raise SpecError(f"{path}: '{section}' must be a section [{section}] (got {body!r})")
    project = ProjectConfig.parse(table.get("project", {}), where=f"{path}: project")
    if project.modality not in kinds("modalities"):
        raise SpecError(
            f"{path}: project.modality '{project.modality}' is not known (known: {', '.join(kinds('modalities'))})"
        )
    stages = {
        name: _section(stage, table, project.modality, path=path) for name, stage in specs.items() if name in table
    }
    if not stages:
        raise SpecError(f"{path} has no stage section", hint=f"add one of: {', '.join(f'[{name}]' for name in specs)}")
    return Spec(project=project, stages=stages, variant=variant)


def _section(stage: StageSpec, table: Mapping[str, Any], modality: str, *, path: Path) -> Config:
    where = f"{path}: {stage.name}"
    config = load_reference(stage.config_for)(modality) if stage.config_for else stage.config
    body = table[stage.name]
    if stage.settle:
        body = load_reference(stage.settle)(body, table, modality)
    checked: Config = config.parse(body, where=where)
    return checked


def _apply(table: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise SpecError(f"--set takes KEY=VALUE, like --set train.size=nano (got '{override}')")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    set_path(table, key.strip(), value)


def set_path(table: dict[str, Any], path: str, value: Any, /) -> None:
    """Set a dotted path; a string on the way is taken as the `kind` of the component it names.

    >>> table = {"train": {"family": "autoregressive"}}
    >>> set_path(table, "train.family.net", "lstm")
    >>> table
    {'train': {'family': {'kind': 'autoregressive', 'net': 'lstm'}}}
    """
    *parents, last = path.split(".")
    here: Any = table
    for part in parents:
        here = _step(here, part, path)
    if isinstance(here, list):
        here[_index(here, last, path)] = value
    else:
        here[last] = value


def _step(here: Any, part: str, path: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, path)]
    if isinstance(here.get(part), str):
        here[part] = {"kind": here[part]}
    below = here.setdefault(part, {})
    if not isinstance(below, dict | list):
        raise SpecError(f"cannot set '{path}': '{part}' is {below!r}, not a section")
    return below


def _index(items: list[Any], part: str, path: str) -> int:
    if not part.isdigit() or int(part) >= len(items):
        raise SpecError(f"cannot set '{path}': '{part}' is not an index below {len(items)}")
    return int(part)
