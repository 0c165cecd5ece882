"""What is made from a snapshot to search it fast: kept in a cache, made again where it is missing or broken."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from genwright.core import StorageError
from genwright.core.digest import canonical_json
from genwright.core.lock import exclusive
from genwright.systems.retrieval.snapshot import Snapshot

RECORD = "record.json"


def cache_folder() -> Path:
    """Where derived files are kept: below `XDG_CACHE_HOME`, or `~/.cache`. They change no result."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "genwright" / "indexes"


def derived(snapshot: Snapshot, name: str, make: Callable[[Path], None], /, *, cache: Path, sizes: bool = True) -> Path:
    """A folder that `make` has filled, whole; a second process waits for the first.

    With `sizes`, a folder whose files have other sizes than when it was made counts as broken.

    Raises:
        StorageError: the cache cannot be written.
    """
    folder = cache / snapshot.facts.digest / name
    if _is_whole(folder, sizes):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(folder.parent / f"{name}.lock"):
            if not _is_whole(folder, sizes):
                _make(folder, make)
        return folder
    except OSError as error:
        raise StorageError(
            f"cannot write the cache of an index {folder}: {error}", hint="free disk space, or set XDG_CACHE_HOME"
        ) from error


def forget(folder: Path, /) -> None:
    """Drops a derived folder that turned out to be broken."""
    shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        make(fresh)
        (fresh / RECORD).write_bytes(canonical_json(_sizes(fresh)))
        fresh.rename(folder)


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != RECORD and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def _is_whole(folder: Path, sizes: bool) -> bool:
    try:
        record: dict[str, int] = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    return not sizes or record == _sizes(folder)
