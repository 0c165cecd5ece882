"""The manifest of a system: which artifacts it is made of, by digest, and how it samples. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from genwright.core import Config
from genwright.core.digest import canonical_json
from genwright.families import SamplingConfig
from genwright.systems.stored import read_stored

NAME = "manifest.json"
OPENVINO = "openvino.json"
Engine = Literal["llama.cpp", "openvino"]
DIGEST = r"^[0-9a-f]{64}$"


class DrawingConfig(Config):
    """How samples that stand for themselves are drawn; `steps` None is the family's own number."""

    temperature: float = Field(default=1.0, ge=0.0)
    guidance: float = Field(default=1.0, ge=0.0)
    steps: int | None = Field(default=None, ge=1)


class PropertiesManifest(Config):
    """Which numbers a system predicts from embeddings, and how.

    `neighbours` is how many train samples are averaged; 0 is ridge regression. `coverage` is the share of intervals
    that hold the number, `domain` the share of held-out samples that count as like those of training.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    neighbours: int = Field(default=0, ge=0)
    coverage: float = Field(default=0.9, gt=0.0, lt=1.0)
    domain: float = Field(default=0.95, gt=0.0, le=1.0)


class _Growing(Config):
    """A manifest to which `later` fields came. Empty ones are left out: systems of before keep their digest."""

    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_what_is_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if name not in self.later or value is not None}


class Manifest(_Growing):
    """One system. The folder that holds it is an artifact, and its digest is the system's name everywhere.

    `model`, `codec`, `prompt` and `draft` are digests of artifacts. The model `draft` guesses what `model` will say.
    """

    later = ("draft",)
    format: Literal[1] = 1
    backend: Literal["local", "gguf", "openvino", "http", "rows", "style"] = "local"
    modality: str = "text"
    model: str = Field(pattern=DIGEST)
    codec: str = Field(pattern=DIGEST)
    sampling: SamplingConfig = SamplingConfig()
    drawing: DrawingConfig = DrawingConfig()
    prompt: str | None = Field(default=None, pattern=DIGEST)
    draft: str | None = Field(default=None, pattern=DIGEST)
    properties: PropertiesManifest | None = None

    @model_validator(mode="after")
    def _drafts_are_local(self) -> Self:
        if self.draft is not None and self.backend != "local":
            raise ValueError(f"a draft works with backend 'local', and this one is '{self.backend}'")
        return self


class ReaderManifest(Config):
    """The language model that a search asks how likely questions are: digests of its artifacts."""

    model: str = Field(pattern=DIGEST)
    codec: str = Field(pattern=DIGEST)


class GroundedManifest(_Growing):
    """One system that answers from documents. `index`, `encoder` and `grounding` are digests of artifacts.

    `generator` is the language model that writes its answers, None where they are sentences of the documents; `reader`
    the one that its search asks, None where it asks none.
    """

    later = ("reader",)
    format: Literal[1] = 1
    backend: Literal["grounded"] = "grounded"
    modality: Literal["document"] = "document"
    index: str = Field(pattern=DIGEST)
    encoder: str = Field(pattern=DIGEST)
    grounding: str = Field(pattern=DIGEST)
    generator: Manifest | None = None
    reader: ReaderManifest | None = None


AnyManifest = Manifest | GroundedManifest


def parts_of(manifest: AnyManifest, /) -> dict[str, str]:
    """The digests of all artifacts that the system is made of, by what they are in it."""
    if isinstance(manifest, GroundedManifest):
        generator = {} if manifest.generator is None else parts_of(manifest.generator)
        reader = {} if manifest.reader is None else manifest.reader.model_dump()
        return reader | generator | {name: getattr(manifest, name) for name in ("index", "encoder", "grounding")}
    named = {name: getattr(manifest, name) for name in ("model", "draft", "codec", "prompt")}
    return {name: digest for name, digest in named.items() if digest is not None}


def backend_of(model: Path, /) -> Literal["local", "gguf", "openvino", "http"]:
    """What runs the language model in that folder: another server, the engine of a GGUF file, else torch."""
    if (model / "remote.json").is_file():
        return "http"
    if (model / OPENVINO).is_file():
        return "openvino"
    return "gguf" if (model / "model.gguf").is_file() else "local"


def choose_engine(engine: Engine, model: Path, /) -> None:
    """Notes in the folder of a GGUF model what runs it: so what was evaluated is what is served."""
    if engine == "openvino":
        (model / OPENVINO).write_bytes(b"{}\n")


def write_manifest(manifest: AnyManifest, /, *, folder: Path) -> None:
    """Writes `manifest.json`; equal manifests give equal bytes."""
    (folder / NAME).write_bytes(canonical_json(manifest.model_dump(mode="json")) + b"\n")


def read_manifest(folder: Path, /) -> AnyManifest:
    """The manifest in that folder.

    Raises:
        IntegrityError: there is none, or it cannot be read.
    """
    values = read_stored(folder / NAME)
    kind = GroundedManifest if values.get("backend") == "grounded" else Manifest
    return kind.parse(values, where=NAME)
