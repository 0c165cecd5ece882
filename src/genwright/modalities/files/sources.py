"""Which files a source names. Imports nothing heavy: planning hashes these files."""

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from genwright.core import DataError
from genwright.core.digest import file_digest
from genwright.modalities.files.address import is_web
from genwright.modalities.files.config import FilesConfig, WebFilesConfig
from genwright.modalities.files.fence import inside, refuse_outside
from genwright.modalities.files.packages import package_of, unpacked
from genwright.modalities.files.pages import page_of
from genwright.modalities.files.patterns import excluded, fixed_part, glob_regex, is_glob

PYTHON = "python:"


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and its name inside the source, which is the same on every machine.

    `archive_sha256` is the digest of the archive that it was read from, where there is one.
    """

    path: Path
    name: str
    archive_sha256: str | None = None


@dataclass(frozen=True)
class _Place:
    """Where to look: a folder, the pattern below it, what names start with, and what to do with links.

    `fence` is the folder that links may not leave; None where the spec states an absolute path, whose links count.
    """

    base: Path
    pattern: str
    prefix: str
    fence: Path | None
    links: Literal["follow", "skip"] = "follow"
    skip: frozenset[str] = frozenset()


def digests(source: FilesConfig, /, *, root: Path) -> list[list[str]]:
    """Name and SHA-256 of each file of a source: what stands for them in a cache key.

    Raises:
        GenwrightError: as `list_files`.
    """
    return [[file.name, file_digest(file.path)] for file in list_files(source, root=root)]


def list_files(source: FilesConfig, *, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source, sorted by name; hidden files and caches are left out. A package is downloaded if need be.

    Raises:
        SpecError: a path of the project steps out of it.
        DataError: nothing matches, a link leads out of the project, or a package cannot be had.
        IntegrityError: an archive is not what is pinned.
    """
    if isinstance(source, WebFilesConfig) and is_web(source.path):
        page = page_of(source)
        return (SourceFile(page.path, source.path, page.sha256),)
    package = package_of(source, root=root)
    if package is not None:
        found = unpacked(source, package)
        return tuple(SourceFile(path, name, package.sha256) for name, path in found.items())
    place = _place(source, root)
    found = {place.prefix + name: path for name, path in _matches(place) if not _excluded(place.prefix + name, source)}
    if not found:
        raise DataError(
            f"source '{source.path}' matches no file (looked below {place.base})",
            hint="give a file, a folder or a glob such as 'corpus/**/*.txt', relative to the project's folder",
        )
    for path in found.values():
        refuse_outside(path, place.fence, source=source.path)
    return tuple(SourceFile(found[name], name) for name in sorted(found))


def _place(source: FilesConfig, root: Path) -> _Place:
    if source.path.startswith("/"):
        base, pattern = fixed_part(source.path)
        return _Place(base, pattern, "" if pattern == source.label else f"{source.label}/", None)
    if source.path.startswith(PYTHON):
        library = Path(sysconfig.get_path("stdlib"))
        folder, pattern, names = _below(source.path.removeprefix(PYTHON), library, source)
        # Distributions link machine-specific files into the library (sitecustomize), and pip puts packages below it.
        return _Place(folder, pattern, PYTHON + names, None, "skip", frozenset({"site-packages", "dist-packages"}))
    folder, pattern, names = _below(source.path, root, source)
    return _Place(folder, pattern, names, root)


def _below(text: str, fence: Path, source: FilesConfig) -> tuple[Path, str, str]:
    base, pattern = fixed_part(text)
    names = "" if base == Path() else f"{base.as_posix()}/"
    path = inside(text, fence, source=source.path)
    if not PurePosixPath(pattern).parts:
        return path, "**/*", names
    return path.parents[len(PurePosixPath(pattern).parts) - 1], pattern, names


def _matches(place: _Place) -> Iterator[tuple[str, Path]]:
    literal = place.base / place.pattern
    if not is_glob(place.pattern) and literal.is_file():
        yield place.pattern, literal
        return
    below, pattern = (literal, "**/*") if literal.is_dir() else (place.base, place.pattern)
    start = "" if below == place.base else f"{place.pattern}/"
    accepts = glob_regex(pattern)
    for name, path in _walk(below, place):
        if accepts.fullmatch(name):
            yield start + name, path


def _walk(folder: Path, place: _Place) -> Iterator[tuple[str, Path]]:
    """Every plain file below a folder; links to folders are not followed."""
    for at, folders, files in os.walk(folder):
        for linked in (name for name in folders if Path(at, name).is_symlink()):
            refuse_outside(Path(at, linked), place.fence)
        folders[:] = sorted(
            name for name in folders if not name.startswith((".", "__pycache__")) and name not in place.skip
        )
        for name in sorted(files):
            path = Path(at, name)
            skipped = name.startswith(".") or (place.links == "skip" and path.is_symlink())
            if not skipped and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _excluded(name: str, source: FilesConfig) -> bool:
    return excluded(name.removeprefix(PYTHON), source.exclude)
