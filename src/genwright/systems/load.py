"""From a manifest's folder to a system ready for use. Imports torch only when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genwright.core import load_reference
from genwright.systems.manifest import read_manifest
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import read_prompt

BACKENDS = {
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
    reference, extra = BACKENDS[manifest.backend]
    backend = load_reference(reference, extra=extra)
    system = backend.load(manifest, locate=locate, device=device)
    if manifest.properties is not None:
        system.head = load_reference("genwright.systems.properties:PropertyHead", extra="train").load(folder)
    if manifest.prompt is not None:
        return PromptedSystem(system, prompt=read_prompt(locate(manifest.prompt)))
    return system
