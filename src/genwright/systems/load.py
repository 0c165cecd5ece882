"""From a manifest's folder to a system ready for use. Imports torch only when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genwright.core import load_reference
from genwright.systems.manifest import GroundedManifest, Manifest, read_manifest
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import read_prompt

BACKENDS = {
    "openvino": ("genwright.systems.openvino.system:OpenVinoSystem", "openvino"),
    "http": ("genwright.systems.http.system:HttpSystem", "train"),
    "gguf": ("genwright.systems.llama.system:GgufSystem", "gguf"),
    "local": ("genwright.systems.local:LocalSystem", "train"),
    "rows": ("genwright.systems.rows:RowSystem", "train"),
    "style": ("genwright.systems.style:StyleSystem", "style"),
}


def load_system(folder: Path, /, *, locate: Callable[[str], Path], device: str = "cpu") -> Any:
    """The system whose manifest is in `folder`; `locate` gives the folder of an artifact by its digest.

    Raises:
        IntegrityError: the manifest or an artifact it names cannot be read.
    """
    manifest = read_manifest(folder)
    if isinstance(manifest, GroundedManifest):
        return _grounded(manifest, locate=locate, device=device)
    system = _loaded(manifest, locate=locate, device=device)
    if manifest.properties is not None:
        system.head = load_reference("genwright.systems.properties:PropertyHead", extra="train").load(folder)
    if manifest.prompt is not None:
        return PromptedSystem(system, prompt=read_prompt(locate(manifest.prompt)))
    return system


def _loaded(manifest: Manifest, *, locate: Callable[[str], Path], device: str) -> Any:
    reference, extra = BACKENDS[manifest.backend]
    return load_reference(reference, extra=extra).load(manifest, locate=locate, device=device)


def _grounded(manifest: GroundedManifest, *, locate: Callable[[str], Path], device: str) -> Any:
    model = None if manifest.generator is None else _loaded(manifest.generator, locate=locate, device=device)
    likely = None
    if manifest.reader is not None:
        reader = load_reference("genwright.systems.question_likelihood:QuestionLikelihood", extra="train")
        likely = reader.load(locate(manifest.reader.model), locate(manifest.reader.codec), device=device)
    system = load_reference("genwright.systems.grounded.system:GroundedSystem", extra="rag")
    return system.load(manifest, locate=locate, model=model, likely=likely)
