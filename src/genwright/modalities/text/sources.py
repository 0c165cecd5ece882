"""Files and datasets of the hub that a source of texts names."""

from pathlib import Path

from genwright.core import DataError
from genwright.modalities.files import sources
from genwright.modalities.files.fence import inside
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.text.config import SourceConfig

__all__ = ["HUB", "SourceFile", "hub_folder", "list_files"]

HUB = "hf:"


def list_files(source: SourceConfig, *, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source as `files.sources.list_files` finds them, sorted by name, or by size from the smallest."""
    files = sources.list_files(source, root=root)
    if source.order == "given":
        return files
    return tuple(sorted(files, key=lambda file: file.path.stat().st_size))


def hub_folder(source: SourceConfig, *, root: Path) -> Path | None:
    """The local folder that an `hf:./FOLDER` source names, or None for a name on the hub.

    Raises:
        SpecError: it steps out of the project.
        DataError: there is no such folder.
    """
    name = source.path.removeprefix(HUB)
    if not name.startswith((".", "/")):
        return None
    folder = inside(name.removeprefix("./"), root, source=source.path)
    if not folder.is_dir():
        raise DataError(
            f"source '{source.path}' names no folder ({folder})", hint="give a folder in the layout of the hub"
        )
    return folder
