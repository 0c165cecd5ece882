"""Sources that are members of an archive, as they are written."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["package", "deb", "archive"]
_FORMS: dict[Kind, tuple[str, str]] = {
    "package": (
        r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+_-]*)",
        "package:NAME==VERSION!MEMBER",
    ),
    "deb": (
        r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:=(?P<version>[A-Za-z0-9][A-Za-z0-9.+:~-]*))?",
        "deb:NAME!MEMBER or deb:NAME=VERSION!MEMBER",
    ),
    "archive": (r"(?P<name>[^!\0]+)", "archive:PATH!MEMBER"),
}


@dataclass(frozen=True)
class Address:
    """Members of an archive: `name` is a distribution, a Debian package or a path; `member` a path or glob inside."""

    kind: Kind
    name: str
    version: str | None
    member: str

    def __str__(self) -> str:
        """The archive without the member, as in a message."""
        joint = "==" if self.kind == "package" else "="
        return f"{self.kind}:{self.name}" + (f"{joint}{self.version}" if self.version else "")


def is_web(path: str, /) -> bool:
    """Whether a source's path is a page of the web."""
    return path.lower().startswith(("http://", "https://"))


@cache
def address_of(path: str, /) -> Address | None:
    """What a source's path says of an archive; None where it names files.

    Raises:
        ValueError: it begins like an archive's and is not written like one.
    """
    kind = next((kind for kind in _FORMS if path.startswith(f"{kind}:")), None)
    if kind is None:
        return None
    pattern, form = _FORMS[kind]
    archive, _, member = path.removeprefix(f"{kind}:").partition("!")
    found = re.fullmatch(pattern, archive)
    if found is None or not member:
        raise ValueError(f"write it as {form}, with MEMBER a file, a folder or a glob inside")
    if member.startswith("/") or ".." in PurePosixPath(member).parts:
        raise ValueError(f"MEMBER is a path inside the archive, without '/' at its start and without '..': {form}")
    return Address(kind, found["name"], found.groupdict().get("version"), member.rstrip("/"))
