"""Models of the Hugging Face hub, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from genwright.core import Config, DataError, load_reference
from genwright.core.stage import Progress
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import identity
from genwright.modalities.files.sources import digests

HUB = "hf:"
# Nothing else is downloaded: no pickled weights, no code.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")


class ModelFilesConfig(Config):
    """Where a pretrained model comes from: files as `FilesConfig` names them, or `hf:NAME` at `revision`."""

    path: str = Field(min_length=1)
    licence: str = "unknown"
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    revision: str | None = None

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        if not self.is_hub:
            self.source  # noqa: B018  # its own check names what is wrong
        if self.revision is not None and not self.is_hub:
            raise ValueError("revision is of a model on the hub (path = 'hf:NAME')")
        return self

    @property
    def is_hub(self) -> bool:
        """Whether the model is named on the hub."""
        return self.path.startswith(HUB)

    @property
    def source(self) -> FilesConfig:
        """The files that `path` names."""
        return FilesConfig(path=self.path, licence=self.licence, sha256=self.sha256)


def model_identity(model: ModelFilesConfig, /, *, root: Path) -> object:
    """What stands for a model in a cache key; what is elsewhere counts by name, version and pin. Downloads nothing.

    Raises:
        GenwrightError: the path names nothing, or steps out of the project.
    """
    if model.is_hub:
        return [model.path, model.revision]
    return identity(model.source, root=root) or digests(model.source, root=root)


def model_of_hub(path: str, /, *, revision: str | None, progress: Progress) -> Path:
    """The folder of the model that `hf:NAME` names, downloaded where it is not in the hub's cache.

    Raises:
        DataError: it cannot be had.
    """
    download = load_reference("huggingface_hub:snapshot_download", extra="pretrained")
    name = path.removeprefix(HUB)
    with progress.task(f"download {name}", total=None):
        try:
            return Path(download(name, revision=revision, allow_patterns=list(PATTERNS)))
        except (OSError, ValueError) as error:  # the library's errors derive from these
            raise DataError(
                f"{path} cannot be had ({type(error).__name__}: {str(error).splitlines()[0]})",
                hint="look at the name, or give a local folder or a GGUF file",
            ) from error
