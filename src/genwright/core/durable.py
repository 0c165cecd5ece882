"""Making what was written outlast a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Returns when the bytes of a file, or the names in a folder, are on the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
