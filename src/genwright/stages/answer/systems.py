"""Grounded systems on the artifacts of a run."""

from __future__ import annotations

from typing import Any

from genwright.core import Context
from genwright.core.digest import entries_digest, folder_entries
from genwright.families import SamplingConfig
from genwright.systems import (
    GroundedManifest,
    Manifest,
    ReaderManifest,
    backend_of,
    load_system,
    write_manifest,
)
from genwright.systems.grounded.grounding import Grounding, write_grounding
from genwright.systems.retrieval.snapshot import Snapshot


def make_system(grounding: Grounding, context: Context, /, *, name: str, keep: bool = False) -> Any:
    """A system that answers so; with `keep`, from the folders that the stage hands back."""
    folder = context.folder("grounding" if keep else f"{name}-grounding")
    write_grounding(grounding, folder=folder)
    digest = entries_digest(folder_entries(folder))
    manifest = GroundedManifest(
        index=context.inputs["index"].digest,
        encoder=context.inputs["encoder"].digest,
        grounding=digest,
        generator=None if grounding.generator is None else _generator(context),
        reader=_reader(context),
    )
    place = context.folder(name)
    write_manifest(manifest, folder=place)
    paths = {artifact.digest: artifact.path for artifact in context.inputs.values()} | {digest: folder}
    return load_system(place, locate=paths.__getitem__, device=context.device)


def _reader(context: Context) -> ReaderManifest | None:
    """The language model, where the index is searched with it."""
    if Snapshot(context.inputs["index"].path).search.likelihood == "off":
        return None
    return ReaderManifest(model=context.inputs["model"].digest, codec=context.inputs["codec"].digest)


def _generator(context: Context) -> Manifest:
    model, codec = context.inputs["model"], context.inputs["codec"]
    return Manifest(
        backend=backend_of(model.path),
        modality="chat",
        model=model.digest,
        codec=codec.digest,
        sampling=SamplingConfig(temperature=0.0),
    )
