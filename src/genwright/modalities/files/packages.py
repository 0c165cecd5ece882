"""Members of packages and local archives as plain files in the user's cache; downloaded once, offline afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from genwright.core import DataError, IntegrityError, StorageError
from genwright.core.digest import canonical_json, file_digest, json_digest
from genwright.core.stage import Progress
from genwright.modalities.files import archives
from genwright.modalities.files.address import Address, address_of
from genwright.modalities.files.archives import COPIED_AT, Member
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.download import download
from genwright.modalities.files.fence import inside
from genwright.modalities.files.patterns import excluded, matching


@dataclass(frozen=True)
class Package:
    """An archive that is there: its file, its digest, and the folder of the cache that belongs to it."""

    path: Path
    sha256: str
    folder: Path


def cache_folder() -> Path:
    """Where archives and their members are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "genwright" / "packages"


def is_archive(source: FilesConfig, /) -> bool:
    """Whether a source names members of an archive."""
    return address_of(source.path) is not None


def fetch(sources: Iterable[FilesConfig], /, *, progress: Progress) -> None:
    """Downloads the packages that are not in the cache yet.

    Raises:
        DataError: one cannot be had.
    """
    for source in sources:
        address = address_of(source.path)
        if address is None or address.kind == "archive" or _recorded(_folder(address, source)):
            continue
        with progress.task(f"download {address}", total=None) as task:
            package = _downloaded(address, source)
            task.advance(package.path.stat().st_size, note=package.path.name)


def package_of(source: FilesConfig, /, *, root: Path) -> Package | None:
    """The archive of a source, downloaded where it is not in the cache; None for plain files.

    Raises:
        DataError: it cannot be had.
        SpecError: the path of a local archive steps out of the project.
    """
    address = address_of(source.path)
    if address is None:
        return None
    if address.kind == "archive":
        return _local(address, source, root)
    folder = _folder(address, source)
    return _recorded(folder) or _downloaded(address, source)


def identity(source: FilesConfig, /, *, root: Path) -> list[str | None]:
    """What stands for an archive in a cache key, without a download: a version does not change once it is published.

    Raises:
        DataError: a local archive is not there.
    """
    address = address_of(source.path)
    assert address is not None, f"{source.path} names no archive"
    if address.kind == "archive":
        return [address.member, _local(address, source, root).sha256]
    return [str(address), address.member, source.sha256]


def unpacked(source: FilesConfig, package: Package, /) -> dict[str, Path]:
    """The members that a source names, by name, as read-only files in the cache.

    Raises:
        DataError: nothing matches, or a member may not be unpacked.
        IntegrityError: the archive is not what was downloaded, or not what is pinned.
    """
    address = address_of(source.path)
    assert address is not None, f"{source.path} names no archive"
    members = _index(package)
    names = [name for name in matching(members, address.member) if not excluded(name, source.exclude)]
    if not names:
        raise DataError(f"{package.path.name} has no member like '{address.member}'", hint=_near(address, members))
    for name in names:
        archives.check(members[name], archive=package.path, limit_bytes=source.max_member_bytes)
    files = {name: package.folder / "members" / name for name in names}
    missing = [name for name, path in files.items() if not _is_copy(path, members[name])]
    if missing:
        _is_as_recorded(package)
        archives.copy(package.path, frozenset(missing), folder=package.folder / "members")
    _is_pinned(source, package, files)
    return files
