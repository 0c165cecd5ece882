"""Lines of a text with their places, and the small questions that structure is read from."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BREAK = re.compile(r"\r\n?|\n")
_TAB = 8


@dataclass(frozen=True)
class Line:
    """One line without its break. `indent` is in columns; a blank line has none."""

    start: int
    end: int
    text: str
    indent: int

    @property
    def blank(self) -> bool:
        """Whether nothing is seen of it."""
        return not self.text

    @property
    def first(self) -> int:
        """Where its first character that is seen stands."""
        return self.end - len(self.text)


def lines_of(text: str, /) -> list[Line]:
    """All lines; `end` leaves out white space at the end of the line, `text` at its start, too."""
    out, at = [], 0
    for found in [*_BREAK.finditer(text), None]:
        stop = found.start() if found else len(text)
        raw = text[at:stop].rstrip()
        body = raw.lstrip()
        indent = len(raw[: len(raw) - len(body)].expandtabs(_TAB)) if body else 0
        out.append(Line(at, at + len(raw), body, indent))
        at = found.end() if found else stop
    return out


def region_end(lines: list[Line], at: int, stop: int, /, *, indent: int) -> int:
    """The first line from `at` on that is not indented more than `indent`; blank lines at the end are left out."""
    end = at
    for place in range(at, stop):
        if not lines[place].blank:
            if lines[place].indent <= indent:
                break
            end = place + 1
    return end


def run_end(lines: list[Line], at: int, stop: int, /) -> int:
    """The first blank line from `at` on."""
    return next((place for place in range(at, stop) if lines[place].blank), stop)


def next_line(lines: list[Line], at: int, stop: int, /) -> int:
    """The first line from `at` on that is not blank."""
    return next((place for place in range(at, stop) if not lines[place].blank), stop)
