"""Sources that are members of an archive, as they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["package", "deb", "archive"]
_RANGE = re.compile(r"\{(\d{1,4})\.\.(\d{1,4})\}")
_FORMS: dict[Kind, tuple[str, str]] = {
    "package": (
        r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*(?:[A-Za-z0-9]|\{\d{1,4}\.\.\d{1,4}\}))?)"
        r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.+_-]*)",
        "package:NAME==VERSION!MEMBER (or package:NAME{1..4}==VERSION!PIECE!MEMBER)",
    ),
    "deb": (
        r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:=(?P<version>[A-Za-z0-9][A-Za-z0-9.+:~-]*))?",
        "deb:NAME!MEMBER or deb:NAME=VERSION!MEMBER",
    ),
    "archive": (r"(?P<name>[^!\0]+)", "archive:PATH!MEMBER"),
}


@dataclass(frozen=True)
class Address:
    """Members of an archive: `name` is a distribution, a Debian package or a path; `member` a path or glob inside.

    An archive that is too large for one package comes in several: their names end in a range, `{001..005}`, and `piece`
    is the member of each that is a piece of it, end to end.
    """

    kind: Kind
    name: str
    version: str | None
    member: str
    piece: str = ""

    @property
    def parts(self) -> tuple[Address, ...]:
        """The packages that an archive comes in, each with its piece; none where it is one."""
        found = _RANGE.search(self.name)
        if found is None:
            return ()
        first, last = found.groups()
        numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
        return tuple(Address(self.kind, self.name[: found.start()] + one, self.version, self.piece) for one in numbers)

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
    in_parts = kind == "package" and _RANGE.search(found["name"])
    piece, _, inner = member.partition("!") if in_parts else ("", "", member)
    for one in (piece, inner):
        if one.startswith("/") or ".." in PurePosixPath(one).parts:
            raise ValueError(f"MEMBER is a path inside the archive, without '/' at its start and without '..': {form}")
    address = Address(kind, found["name"], found.groupdict().get("version"), inner.rstrip("/"), piece)
    if in_parts and not (piece and inner and address.parts):
        raise ValueError(f"packages with the pieces of an archive, first to last, are written {form}")
    return address
