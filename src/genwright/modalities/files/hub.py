"""Models of the Hugging Face hub, by name."""

from __future__ import annotations

from pathlib import Path

from genwright.core import DataError, load_reference
from genwright.core.stage import Progress

HUB = "hf:"
# Nothing else is downloaded: no pickled weights, no code.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")


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
