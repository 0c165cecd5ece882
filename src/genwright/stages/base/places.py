"""Where a pretrained model lies: a folder in the Hugging Face layout, or one GGUF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genwright.core import DataError
from genwright.core.digest import json_digest
from genwright.core.stage import Progress
from genwright.modalities.files.hub import model_identity, model_of_hub
from genwright.modalities.files.packages import fetch
from genwright.modalities.files.sources import list_files
from genwright.stages.base.config import BaseConfig

WEIGHTS, GGUF = ".safetensors", ".gguf"


@dataclass(frozen=True)
class Place:
    """The folder, and the GGUF file in it where the model is one."""

    folder: Path
    gguf: str | None


def fingerprint(config: BaseConfig, root: Path) -> str:
    """A digest of what is read; what is elsewhere counts by name, version and pin. Downloads nothing.

    Raises:
        GenwrightError: the path names nothing, or steps out of the project.
    """
    return json_digest(model_identity(config, root=root))


def find(config: BaseConfig, /, *, root: Path, progress: Progress) -> Place:
    """The model's place on this machine, downloaded where it is elsewhere.

    Raises:
        DataError: there is no model, or it cannot be had.
    """
    if config.is_hub:
        return Place(model_of_hub(config.path, revision=config.revision, progress=progress), None)
    fetch([config.source], progress=progress)
    files = list_files(config.source, root=root)
    packed = [file.path for file in files if file.path.suffix == GGUF]
    if packed:
        if len(packed) > 1:
            names = ", ".join(path.name for path in packed[:3])
            raise DataError(f"base.path '{config.path}' names {len(packed)} GGUF files ({names})", hint="name one")
        return Place(packed[0].parent, packed[0].name)
    folders = {file.path.parent for file in files if file.path.name == "config.json"}
    weights = [file.path for file in files if file.path.suffix == WEIGHTS]
    if len(folders) != 1 or not weights:
        raise DataError(
            f"base.path '{config.path}' holds no model: one config.json with safetensors beside it is needed, "
            f"or one GGUF file",
            hint="convert pickled weights (.bin, .pt) to safetensors elsewhere; they are not read here",
        )
    return Place(folders.pop(), None)
