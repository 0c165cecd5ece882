"""Content addresses: canonical JSON, file digests and folder digests (SHA-256, hexadecimal)."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genwright.core.errors import IntegrityError


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact: path relative to its folder (POSIX), size and SHA-256."""

    path: str
    size_bytes: int
    sha256: str


def canonical_json(value: Any) -> bytes:
    """The one byte string for a JSON value: sorted keys, no spaces, UTF-8, no NaN.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    b'{"a":[1.5,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def json_digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def folder_entries(folder: Path) -> tuple[FileEntry, ...]:
    """Every file below `folder`, sorted by path.

    Raises:
        IntegrityError: the folder holds a link or something that is not a plain file.
    """
    entries = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise IntegrityError(f"{path} is a link or a special file; an artifact holds plain files only")
        if path.is_file():
            relative = path.relative_to(folder).as_posix()
            entries.append(FileEntry(relative, path.stat().st_size, file_digest(path)))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def entries_digest(entries: tuple[FileEntry, ...]) -> str:
    """The address of a folder: SHA-256 over its sorted (path, size, sha256) rows."""
    return json_digest([[e.path, e.size_bytes, e.sha256] for e in entries])
