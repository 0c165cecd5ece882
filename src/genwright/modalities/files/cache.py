"""The user's cache of packages: a folder per archive, with its record, the list of its members, and copies of some."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from genwright.core import IntegrityError, StorageError
from genwright.core.digest import canonical_json, file_digest
from genwright.modalities.files import archives
from genwright.modalities.files.archives import COPIED_AT, Member

_ROOM = "free disk space, or set XDG_CACHE_HOME"


@dataclass(frozen=True)
class Package:
    """An archive that is there: its file, its digest, and the folder of the cache that belongs to it."""

    path: Path
    sha256: str
    folder: Path


def cache_folder() -> Path:
    """Where packages are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "genwright" / "packages"


def recorded(folder: Path, /) -> Package | None:
    """The archive that was downloaded into a folder; None where there is none, or not a whole one."""
    try:
        record = json.loads((folder / "record.json").read_bytes())
        path = folder / str(record["file"])
        whole = path.stat().st_size == record["size_bytes"]
        return Package(path, str(record["sha256"]), folder) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stored(folder: Path, download: Callable[[Path], Path], /) -> Package:
    """What `download` puts into an empty folder, kept under `folder`: all of it with its record, or nothing.

    Raises:
        StorageError: the cache cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
            fresh = Path(scratch) / "package"
            fresh.mkdir()
            path = download(fresh)
            record = {"file": path.name, "size_bytes": path.stat().st_size, "sha256": file_digest(path)}
            (fresh / "record.json").write_bytes(canonical_json(record))
            if recorded(folder) is None:  # else another process was first
                shutil.rmtree(folder, ignore_errors=True)
                fresh.rename(folder)
    except OSError as error:
        if recorded(folder) is None:
            raise StorageError(f"{folder} cannot be written ({error})", hint=_ROOM) from None
    package = recorded(folder)
    assert package is not None, f"{folder} holds no record of what was just put there"
    return package


def members_of(package: Package, /) -> dict[str, Member]:
    """All members by name, read from the archive once.

    Raises:
        DataError: it is no whole archive.
        IntegrityError: its bytes are not those that were recorded.
        StorageError: the cache cannot be written.
    """
    path = package.folder / "members.json"
    try:
        return {row["name"]: Member(**row) for row in json.loads(path.read_bytes())}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    _is_as_recorded(package)
    members = archives.index(package.path)
    _write(path, canonical_json([asdict(member) for member in members]))
    return {member.name: member for member in members}


def copies(package: Package, members: list[Member], /) -> dict[str, Path]:
    """Read-only files with the bytes of these members, by name; what is there and untouched is not copied again.

    Raises:
        DataError: it is no whole archive.
        IntegrityError: its bytes are not those that were recorded.
        StorageError: the cache cannot be written.
    """
    files = {member.name: package.folder / "members" / member.name for member in members}
    missing = frozenset(member.name for member in members if not _is_copy(files[member.name], member))
    if missing:
        _is_as_recorded(package)
        archives.copy(package.path, missing, folder=package.folder / "members")
    return files


def _is_copy(path: Path, member: Member) -> bool:
    try:
        facts = path.stat()
    except OSError:
        return False
    return facts.st_size == member.size_bytes and int(facts.st_mtime) == COPIED_AT


def _is_as_recorded(package: Package) -> None:
    actual = file_digest(package.path)
    if actual != package.sha256:
        raise IntegrityError(
            f"{package.path} has SHA-256 {actual}, and had {package.sha256} when it was downloaded",
            hint=f"delete {package.folder} and run again",
        )


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
            out.write(data)
        Path(out.name).replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error})", hint=_ROOM) from None
