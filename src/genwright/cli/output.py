"""The one way out: data on stdout as a table or JSON, everything else on stderr."""

import json
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from genwright.core.errors import GenwrightError


class Output:
    """Tables for people, JSON for programs. NO_COLOR and a pipe turn colour off."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def table(self, rows: Sequence[Mapping[str, Any]], /, *, title: str, empty: str = "nothing yet") -> None:
        """Rows with the same keys; under `--json` they are one JSON array."""
        if self.as_json:
            self.value(list(rows))
        elif not rows:
            self.note(empty)
        else:
            _print_table(rows, title=title)

    def value(self, value: Any, /) -> None:
        """One JSON value on stdout; people get it indented."""
        print(json.dumps(plain(value), indent=None if self.as_json else 2, ensure_ascii=False))

    def text(self, text: str, /, *, end: str = "\n") -> None:
        """Raw text on stdout (generated text, scripts)."""
        sys.stdout.write(text + end)
        sys.stdout.flush()

    def note(self, message: str, /) -> None:
        """A remark for a person, on stderr."""
        if not self.as_json:
            print(message, file=sys.stderr)

    def error(self, error: GenwrightError, /) -> None:
        """What went wrong and what to do, on stderr."""
        if self.as_json:
            body = {"code": error.code, "message": error.message, "hint": error.hint}
            print(json.dumps({"error": body}, ensure_ascii=False), file=sys.stderr)
            return
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  try: {error.hint}", file=sys.stderr)


def _print_table(rows: Sequence[Mapping[str, Any]], *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 140)
    console.print(Text(title, style="bold"))  # a title of the table itself is broken to the width of its columns
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) or row[name] is None for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row.values()))
    console.print(table)


def shown(value: Any) -> str:
    """A cell as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plain(value: Any) -> Any:
    """The JSON form of dataclasses, paths and mappings; bytes (a picture) in base64, dates and times by ISO 8601."""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, date | time):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
