"""What the data stage reads from outside the store, as one digest. Planning calls this and downloads nothing."""

from pathlib import Path
from typing import Any

from genwright.core.digest import json_digest
from genwright.modalities.text.fingerprint import source_identity


def fingerprint(config: Any, root: Path) -> str:
    """A digest of the name and bytes of every source file; what is elsewhere counts by name, version and pin.

    Raises:
        GenwrightError: a source names nothing, or steps out of the project.
    """
    return json_digest([source_identity(source, root) for source in config.sources])
