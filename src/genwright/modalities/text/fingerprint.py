"""What a source holds, without downloading it: for cache keys."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from genwright.core.digest import file_digest
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import identity
from genwright.modalities.files.sources import list_files
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.sources import HUB, hub_folder


def source_identity(source: FilesConfig, root: Path) -> list[Any]:
    """The name and digest of every file; what is elsewhere counts by name, version and pin.

    Raises:
        GenwrightError: a source names nothing, or steps out of the project.
    """
    archive = identity(source, root=root)
    if archive is not None:
        return archive
    if isinstance(source, SourceConfig) and source.path.startswith(HUB):
        folder = hub_folder(source, root=root)
        if folder is None:
            return [source.path, source.subset, source.split, source.revision]
        files = [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]
    else:
        files = [(file.name, file.path) for file in list_files(source, root=root)]
    with ThreadPoolExecutor() as pool:
        digests = pool.map(file_digest, [path for _, path in files])
        return [[name, digest] for (name, _), digest in zip(files, digests, strict=True)]
