"""What the evaluate stage reads from outside the store, as one digest."""

from pathlib import Path
from typing import Any

from genwright.core.digest import file_digest, json_digest
from genwright.modalities.files.packages import identity
from genwright.modalities.files.sources import list_files


def fingerprint(config: Any, root: Path) -> str | None:
    """A digest of the files of `anomalies`, None where there are none; planning calls this and downloads nothing."""
    source = getattr(config, "anomalies", None)
    if source is None:
        return None
    archive = identity(source, root=root)
    return json_digest(archive or [[file.name, file_digest(file.path)] for file in list_files(source, root=root)])
