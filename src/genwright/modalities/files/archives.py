"""What is in an archive, and copying it out. Nothing of it is imported, unpickled or run, and no link is made."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

from genwright.core import DataError, StorageError
from genwright.modalities.files.streams import MAX_RATIO, opened_tar

COPIED_AT = 315532800  # 1980-01-01: a copy that was changed since has another time
_BLOCK = 1 << 20
_RATIO_FROM_BYTES = 1 << 20  # a small member can harm nobody, whatever its ratio
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class Member:
    """A member that is no folder. `packed_bytes` is its size in the archive, None where all are packed together.

    Only files are ever copied; `other` stands for links, devices, encrypted and sparse members.
    """

    name: str
    size_bytes: int
    packed_bytes: int | None
    kind: Literal["file", "other"]


class Archive(Protocol):
    """An archive of one of the formats."""

    def members(self) -> Iterator[Member]: ...
    def contents(self, names: Collection[str], /) -> Iterator[tuple[str, IO[bytes]]]: ...


def index(path: Path, /) -> list[Member]:
    """All members, sorted by name.

    Raises:
        DataError: it is no whole archive, or a member would leave the folder that it is unpacked to.
    """
    with _readable(path):
        found = {member.name: member for member in _archive(path).members()}
    for name in found:
        _refuse_leading_out(name, path)
    return [found[name] for name in sorted(found)]


def check(member: Member, *, archive: Path, limit_bytes: int) -> None:
    """Returns where the member may be copied.

    Raises:
        DataError: it is no plain file, is too large, or unpacks to far more than it weighs.
    """
    where = f"{archive.name}: member '{member.name}'"
    if member.kind != "file":
        raise DataError(
            f"{where} is a link or no plain file; it is not read", hint="exclude it, or name what it leads to"
        )
    if member.size_bytes > limit_bytes:
        raise DataError(
            f"{where} has {member.size_bytes:,} bytes, and max_member_bytes = {limit_bytes:,}",
            hint="raise max_member_bytes of this source, or exclude it",
        )
    packed = member.packed_bytes
    if packed is not None and member.size_bytes > max(MAX_RATIO * packed, _RATIO_FROM_BYTES):
        raise DataError(
            f"{where} would unpack {packed:,} bytes to {member.size_bytes:,}, more than {MAX_RATIO} times as many",
            hint="if you trust the archive, unpack it by hand and name the file",
        )


def copy(path: Path, names: Collection[str], /, *, folder: Path) -> None:
    """Writes these members below `folder`, each whole or not at all.

    Raises:
        DataError: it is no whole archive, or unpacks to far more than it weighs.
        StorageError: the folder takes no more.
    """
    with _readable(path):
        for name, stream in _archive(path).contents(names):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as out:
                try:
                    shutil.copyfileobj(stream, out, _BLOCK)
                    out.flush()
                    os.utime(out.name, (COPIED_AT, COPIED_AT))
                    Path(out.name).chmod(0o444)
                    Path(out.name).replace(target)
                except BaseException:
                    Path(out.name).unlink(missing_ok=True)
                    raise


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise StorageError(f"{path} cannot be unpacked ({error})", hint="look at the disk and its space") from None
        raise _broken(path, error) from None
    except _BROKEN as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is no whole archive ({error or type(error).__name__})", hint="delete it and fetch it again"
    )


def _refuse_leading_out(name: str, archive: Path) -> None:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match("[A-Za-z]:", plain) or "\0" in plain or ".." in PurePosixPath(plain).parts:
        raise DataError(
            f"{archive.name}: member '{name}' leads out of the archive; nothing of it is read",
            hint="an honest archive has no such member: do not use it",
        )


def _archive(path: Path) -> Archive:
    try:
        with path.open("rb") as handle:
            is_zip = handle.read(2) == b"PK"
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error})", hint="check the path and its permissions") from None
    return _Zip(path) if is_zip else _Tar(path)


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path = path

    def members(self) -> Iterator[Member]:
        with zipfile.ZipFile(self._path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield Member(info.filename, info.file_size, info.compress_size, _zip_kind(info))

    def contents(self, names: Collection[str], /) -> Iterator[tuple[str, IO[bytes]]]:
        with zipfile.ZipFile(self._path) as archive:
            for name in sorted(names):
                with archive.open(name) as stream:
                    yield name, stream


def _zip_kind(info: zipfile.ZipInfo) -> Literal["file", "other"]:
    mode = stat.S_IFMT(info.external_attr >> 16)
    return "file" if mode in (0, stat.S_IFREG) and not info.flag_bits & 1 else "other"


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path = path

    def members(self) -> Iterator[Member]:
        with opened_tar(self._path) as archive:
            for info in archive:
                if not info.isdir():
                    kind: Literal["file", "other"] = "file" if info.isreg() and not info.issparse() else "other"
                    yield Member(_tar_name(info), info.size, None, kind)

    def contents(self, names: Collection[str], /) -> Iterator[tuple[str, IO[bytes]]]:
        with opened_tar(self._path) as archive:
            for info in archive:
                stream = archive.extractfile(info) if info.isreg() and _tar_name(info) in names else None
                if stream is not None:
                    yield _tar_name(info), stream


def _tar_name(info: tarfile.TarInfo) -> str:
    return info.name.removeprefix("./")
