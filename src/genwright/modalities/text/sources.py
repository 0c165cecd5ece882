"""Which files a source names. Imports nothing heavy: planning hashes these files."""

import os
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from genwright.core import DataError, SpecError
from genwright.modalities.packages import PACKAGE, members
from genwright.modalities.text.config import SourceConfig

PYTHON, HUB = "python:", "hf:"
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and its name inside the source, which is the same on every machine."""

    path: Path
    name: str


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


def list_files(source: SourceConfig, *, root: Path) -> tuple[SourceFile, ...]:
    """The files of a source, sorted by name (or by size, smallest first). Hidden files and caches are left out.

    Raises:
        SpecError: a path of the project steps out of it.
        DataError: nothing matches, a link leads out of the project, or a package cannot be had.
        IntegrityError: members of a package are not those that are pinned.
    """
    if source.path.startswith(PACKAGE):
        inside = members(source.path, sha256=source.sha256)
        return tuple(SourceFile(member.path, member.name) for member in inside if not _excluded(member.name, source))
    place = _place(source, root)
    found = {place.prefix + name: path for name, path in _matches(place) if not _excluded(place.prefix + name, source)}
    if not found:
        raise DataError(
            f"source '{source.path}' matches no file (looked below {place.base})",
            hint="give a file, a folder or a glob such as 'corpus/**/*.txt', relative to the project's folder",
        )
    for path in found.values():
        _refuse_outside(path, place, source)
    files = [SourceFile(found[name], name) for name in sorted(found)]
    if source.order == "shortest-first":
        files.sort(key=lambda file: file.path.stat().st_size)
    return tuple(files)


def hub_folder(source: SourceConfig, *, root: Path) -> Path | None:
    """The local folder that an `hf:./FOLDER` source names, or None for a name on the hub."""
    name = source.path.removeprefix(HUB)
    if not name.startswith((".", "/")):
        return None
    folder = _inside(name.removeprefix("./"), root, source)
    if not folder.is_dir():
        raise DataError(
            f"source '{source.path}' names no folder ({folder})", hint="give a folder in the layout of the hub"
        )
    return folder


def _place(source: SourceConfig, root: Path) -> _Place:
    if source.path.startswith("/"):
        base, pattern = _fixed_part(source.path)
        return _Place(base, pattern, "" if pattern == source.label else f"{source.label}/", None)
    if source.path.startswith(PYTHON):
        library = Path(sysconfig.get_path("stdlib"))
        folder, pattern, names = _below(source.path.removeprefix(PYTHON), library, source)
        # Distributions link machine-specific files into the library (sitecustomize), and pip puts packages below it.
        return _Place(folder, pattern, PYTHON + names, None, "skip", frozenset({"site-packages", "dist-packages"}))
    folder, pattern, names = _below(source.path, root, source)
    return _Place(folder, pattern, names, root)


def _below(text: str, fence: Path, source: SourceConfig) -> tuple[Path, str, str]:
    base, pattern = _fixed_part(text)
    names = "" if base == Path() else f"{base.as_posix()}/"
    return _inside(text, fence, source).parents[len(PurePosixPath(pattern).parts) - 1], pattern, names


def _fixed_part(text: str) -> tuple[Path, str]:
    """The folder before the first wildcard, and the rest; a path without wildcards splits before its last part."""
    parts = PurePosixPath(text).parts
    wild = next((place for place, part in enumerate(parts) if _GLOB.search(part)), len(parts) - 1)
    return Path(*parts[:wild]), "/".join(parts[wild:])


def _inside(relative: str, fence: Path, source: SourceConfig) -> Path:
    if ".." in PurePosixPath(relative).parts:
        raise SpecError(
            f"source '{source.path}' steps out of its folder with '..'; paths stay below {fence}",
            hint="move the data into the project, or write the absolute path to say that it is meant",
        )
    return fence / relative


def _matches(place: _Place) -> Iterator[tuple[str, Path]]:
    literal = place.base / place.pattern
    if not _GLOB.search(place.pattern) and literal.is_file():
        yield place.pattern, literal
        return
    below, pattern = (literal, "**/*") if literal.is_dir() else (place.base, place.pattern)
    start = "" if below == place.base else f"{place.pattern}/"
    accepts = _regex(pattern)
    for name, path in _walk(below, place):
        if accepts.fullmatch(name):
            yield start + name, path


def _walk(folder: Path, place: _Place) -> Iterator[tuple[str, Path]]:
    """Every plain file below a folder; links to folders are not followed."""
    for at, folders, files in os.walk(folder):
        for linked in (name for name in folders if Path(at, name).is_symlink()):
            _refuse_outside(Path(at, linked), place, None)
        folders[:] = sorted(
            name for name in folders if not name.startswith((".", "__pycache__")) and name not in place.skip
        )
        for name in sorted(files):
            path = Path(at, name)
            skipped = name.startswith(".") or (place.links == "skip" and path.is_symlink())
            if not skipped and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _regex(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression: `**/` any folders, `*` and `?` within one name."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", pattern)
    wild = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(wild.get(p) or (p if p.startswith("[") else re.escape(p)) for p in pieces))


def _excluded(name: str, source: SourceConfig) -> bool:
    return any(fnmatchcase(name.removeprefix(PYTHON), pattern) for pattern in source.exclude)


def _refuse_outside(path: Path, place: _Place, source: SourceConfig | None) -> None:
    if place.fence is None:
        return
    target = path.resolve()
    if not target.is_relative_to(place.fence.resolve()):
        of = f" of source '{source.path}'" if source else ""
        raise DataError(
            f"{path}{of} is a link that leads out of {place.fence} (to {target})",
            hint="copy the file into the project, exclude it, or name its absolute path as a source of its own",
        )
