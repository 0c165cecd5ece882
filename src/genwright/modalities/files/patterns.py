"""Globs: `**/` any folders, `*` and `?` within one name."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from genwright.core import SpecError

_GLOB = re.compile(r"[*?\[]")


def is_glob(text: str) -> bool:
    """Whether a path has wildcards."""
    return bool(_GLOB.search(text))


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression.

    Raises:
        SpecError: a class in brackets makes no sense.
    """
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    wild = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    try:
        return re.compile("".join(wild.get(p) or (_one_of(p) if p.startswith("[") else re.escape(p)) for p in pieces))
    except re.error as error:
        raise SpecError(f"'{pattern}' is no glob ({error})", hint="brackets hold characters, as in '[a-c]'") from None


def fixed_part(text: str) -> tuple[Path, str]:
    """The folder before the first wildcard, and the rest; a path without wildcards splits before its last part."""
    parts = PurePosixPath(text).parts
    wild = next((place for place, part in enumerate(parts) if is_glob(part)), len(parts) - 1)
    return Path(*parts[:wild]), "/".join(parts[wild:])


def excluded(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches one of the patterns, in which `*` crosses folders."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a file's name, a folder or a glob stands for, sorted; hidden ones only where named in full."""
    names = sorted(names)
    if pattern in names:
        return [pattern]
    if not is_glob(pattern):
        below = f"{pattern}/"
        return [name for name in names if name.startswith(below) and not _hidden(name.removeprefix(below))]
    accepts = glob_regex(pattern)
    return [name for name in names if accepts.fullmatch(name) and not _hidden(name)]


def _one_of(brackets: str) -> str:
    if len(brackets) < 3:
        return re.escape(brackets)
    return f"[^{brackets[2:]}" if brackets[1] == "!" else brackets


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in PurePosixPath(name).parts)
