"""What the evaluate stage reads from outside the store, as one digest."""

from pathlib import Path
from typing import Any

from genwright.core.digest import json_digest
from genwright.modalities.files.packages import identity
from genwright.modalities.files.sources import digests


def fingerprint(config: Any, root: Path) -> str | None:
    """A digest of the files of `anomalies`, None where there are none; planning calls this and downloads nothing."""
    source = getattr(config, "anomalies", None)
    if source is None:
        return None
    return json_digest(identity(source, root=root) or digests(source, root=root))
