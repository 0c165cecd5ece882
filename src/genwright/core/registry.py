"""Components by name: an entry point leads to a reference string plus a Config, so planning imports no torch."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from genwright.core.config import Config
from genwright.core.errors import CapabilityError, DependencyError, SpecError

GROUPS = ("stages", "nets", "families", "modalities", "codecs", "prompts")


@dataclass(frozen=True)
class Component:
    """What a registry holds: how to check its settings, and where its code is.

    `accepts` are the representations it works on (`tokens`, `vector`, `grid`), empty where
    that does not apply; `extra` is the optional extra its code needs. A codec's `stream` says that samples are
    documents of any length, trained on end to end; otherwise each stands for itself. A family's `stream` says that it
    works on such. `modalities` are those that a codec serves (all where it is empty). `instead` are the settings of
    another family that does this one's work on a representation that it does not accept; its own go into `prior`.
    `brought_by` names the stage that brings a codec ready made. A codec's `layout` says that its tokens lie in a
    fixed layout, `own_ids` that the cells of that have ids of their own.
    """

    kind: str
    config: type[Config]
    factory: str
    accepts: tuple[str, ...] = ()
    extra: str | None = None
    stream: bool = False
    modalities: tuple[str, ...] = ()
    instead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    brought_by: str | None = None
    layout: bool = False
    own_ids: bool = False

    def load(self) -> Any:
        """The object behind `factory`.

        Raises:
            DependencyError: its code needs an extra that is not installed.
        """
        return load_reference(self.factory, extra=self.extra)


@dataclass(frozen=True)
class ModalityComponent(Component):
    """A modality: `config` is that of one source, `codecs` the codec per representation, the
    one it prefers first; `codec_for` names the codec of families that do better on another one.

    A modality whose samples stand for themselves names the settings of its metrics, and the families whose fit costs a
    second and whose samples stand beside every report (`baselines`), each with the codec that it works on. `answers`
    says that a sample is a question with its answer: held-out questions are asked, and the answers compared.
    `documents` says that samples are what answers are drawn from: they are searched, and nothing is trained on them.
    """

    codecs: Mapping[str, str] = field(default_factory=dict)
    codec_for: Mapping[str, str] = field(default_factory=dict)
    metrics: type[Config] | None = None
    baselines: tuple[tuple[str, str], ...] = ()
    answers: bool = False
    documents: bool = False

    def codec_of(self, family: Component, /) -> str | None:
        """The codec that a family works on where none is asked for; None where there is none for it."""
        if family.kind in self.codec_for:
            return self.codec_for[family.kind]
        for able in (family.accepts, family.instead):
            for representation, codec in self.codecs.items():
                if representation in able:
                    return codec
        return None

    @property
    def of_texts(self) -> bool:
        """Whether a language model continues or answers its samples."""
        return self.answers or not self.rows

    @property
    def rows(self) -> bool:
        """Whether samples stand for themselves."""
        return self.metrics is not None or self.documents


def modality_component(modality: str, /) -> ModalityComponent:
    """The registered modality of that name.

    Raises:
        SpecError: there is none.
    """
    found = registered("modalities", modality)
    assert isinstance(found, ModalityComponent), f"modalities.{modality} is not a ModalityComponent"
    return found


def trained_on(modality: str, /, *, stage: str) -> ModalityComponent:
    """The registered modality of that name, where models are made of its samples.

    Raises:
        CapabilityError: its samples are documents, which are searched.
        SpecError: there is none of that name.
    """
    entry = modality_component(modality)
    if entry.documents:
        raise CapabilityError(
            f"[{stage}] makes or measures a model of samples, and documents are searched, not modelled",
            hint=f"leave out [{stage}]; to train on the same files: project.modality = 'text'",
        )
    return entry


def load_reference(reference: str, *, extra: str | None = None) -> Any:
    """The attribute named by `module:attribute`.

    Raises:
        DependencyError: a third-party module is missing.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "genwright":
            raise
        raise missing_extra(error.name or module_name, extra=extra or "all") from error


def missing_extra(module: str, *, extra: str) -> DependencyError:
    """The error for a module that an optional extra brings."""
    return DependencyError(
        f"this needs the Python module '{module}', which is not installed",
        hint=f"pip install 'genwright[{extra}]'",
    )


@cache
def _entry_points(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"genwright.{group}")}


def kinds(group: str) -> tuple[str, ...]:
    """The names registered in a group, sorted."""
    return tuple(sorted(_entry_points(group)))


@cache
def registered(group: str, kind: str) -> Any:
    """The object an entry point names: a `Component`, or a `StageSpec` in the group `stages`.

    Raises:
        SpecError: nothing of that name is registered; near matches are named.
    """
    points = _entry_points(group)
    if kind not in points:
        near = difflib.get_close_matches(kind, points, n=1)
        tail = f"; did you mean '{near[0]}'?" if near else ""
        raise SpecError(f"no {group} entry '{kind}'{tail} (known: {', '.join(sorted(points)) or 'none'})")
    return points[kind].load()


def component(group: str, kind: str) -> Component:
    """The registered `Component` of that kind."""
    found = registered(group, kind)
    assert isinstance(found, Component), f"{group}.{kind} is not a Component"
    return found


def component_field(group: str, *, optional: bool = False) -> Any:
    """A Config field whose table is `{kind = "...", ...}`, checked by the Config registered under that kind.

    An `optional` field may be left open: its owner fills in what suits the data.
    """

    def validate(value: Any) -> Any:
        if isinstance(value, Config) or (optional and value is None):
            return value
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, Mapping) or "kind" not in value:
            raise ValueError(f"a table with 'kind' is needed; known kinds: {', '.join(kinds(group))}")
        try:
            entry = component(group, str(value["kind"]))
        except SpecError as error:
            raise ValueError(error.message) from None
        return entry.config.model_validate(dict(value))

    if optional:
        return Annotated[SerializeAsAny[Config] | None, BeforeValidator(validate)]
    return Annotated[SerializeAsAny[Config], BeforeValidator(validate)]
