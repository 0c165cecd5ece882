"""How two artifacts differ in what can be read: prompts, manifests, descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

MOST_BYTES = 1 << 20


def differences(a: Path, b: Path, /, *, names: tuple[str, str]) -> Iterator[str]:
    """Lines of a unified diff over the files of both folders, JSON with one value a line.

    Of a file that is no text, or larger than 1 MiB, one line says that it differs.
    """
    for name in sorted({path.relative_to(folder).as_posix() for folder in (a, b) for path in _files(folder)}):
        old, new = a / name, b / name
        if old.is_file() and new.is_file() and old.read_bytes() == new.read_bytes():
            continue
        lines = _lines(old), _lines(new)
        if None in lines:
            yield f"{name} differs"
            continue
        left, right = (part or [] for part in lines)
        yield from unified_diff(left, right, f"{names[0]}/{name}", f"{names[1]}/{name}", lineterm="")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _lines(path: Path) -> list[str] | None:
    """The lines of a text; none of a file that is not there; None of what cannot be shown."""
    if not path.is_file():
        return []
    if path.stat().st_size > MOST_BYTES:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    if path.suffix == ".json":
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False, sort_keys=True)
    return text.splitlines()
