"""What the data stage reads from outside the store, as one digest. Planning calls this."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from genwright.core.digest import file_digest, json_digest
from genwright.modalities.packages import PACKAGE
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.sources import HUB, hub_folder, list_files
from genwright.stages.data.config import DataConfig


def fingerprint(config: DataConfig, root: Path) -> str:
    """A digest of the name and bytes of every source file; a dataset on the hub counts by name and revision.

    Raises:
        GenwrightError: a source names nothing, or steps out of the project.
    """
    return json_digest([_source(source, root) for source in config.sources])


def _source(source: SourceConfig, root: Path) -> list[Any]:
    if source.path.startswith(HUB):
        folder = hub_folder(source, root=root)
        if folder is None:
            return [source.path, source.subset, source.split, source.revision]
        files = [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]
    elif source.path.startswith(PACKAGE):
        return [source.path, source.sha256]  # a version of a package does not change; planning downloads nothing
    else:
        files = [(file.name, file.path) for file in list_files(source, root=root)]
    with ThreadPoolExecutor() as pool:
        digests = pool.map(file_digest, [path for _, path in files])
        return [[name, digest] for (name, _), digest in zip(files, digests, strict=True)]
