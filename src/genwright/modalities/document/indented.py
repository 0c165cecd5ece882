"""Blocks of reStructuredText, and of plain text that is laid out like it (manual pages, the topics of CPython).

Source: reStructuredText Markup Specification (https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html).
"""

from __future__ import annotations

import re
from typing import Literal

from genwright.modalities.document.document import Block, BlockKind
from genwright.modalities.document.lines import Line, lines_of, next_line, region_end, run_end
from genwright.modalities.document.sections import Outline, plain_words
from genwright.modalities.document.signals import (
    is_adornment,
    is_item,
    is_label,
    looks_like_code,
    looks_like_signature,
    signature_of,
    table_end,
)

_DIRECTIVE = re.compile(r"\.\. (?:(?P<domain>\w+):)?(?P<name>[\w-]+)::(?:\s+(?P<rest>.*))?$")
_DESCRIBES = frozenset(
    (
        *(
            "function",
            "decorator",
            "exception",
            "data",
            "object",
            "describe",
            "type",
            "macro",
            "struct",
            "var",
            "confval",
        ),
        *("class", "method", "classmethod", "staticmethod", "coroutinemethod", "abstractmethod", "decoratormethod"),
        *("attribute", "property", "member", "option", "cmdoption", "envvar", "opcode", "pdbcommand"),
        *("autofunction", "autoclass", "automethod"),
    )
)
_CODE = frozenset(
    (
        *("code", "code-block", "sourcecode", "parsed-literal", "productionlist", "literalinclude"),
        *("doctest", "testcode", "testoutput", "math"),
    )
)
_TABLES = frozenset(("list-table", "csv-table", "table"))
_MOST_DEPTH = 24  # no honest document nests deeper; below it all is one paragraph
_MOST_TERM = 80


def indented_blocks(text: str, /, *, marked: bool) -> list[Block]:
    """The blocks of a text; `marked` says that it is reStructuredText, where `::` and `..` have their meaning."""
    reader = _Reader(lines_of(text), marked=marked)
    reader.region(0, len(reader.lines))
    return reader.outline.blocks


class _Reader:
    def __init__(self, lines: list[Line], *, marked: bool) -> None:
        self.lines, self.outline = lines, Outline()
        self._marked = marked
        self._styles: list[str] = []

    def region(self, at: int, stop: int, *, heads: tuple[str, ...] = (), depth: int = 0) -> None:
        """Reads the lines of a region; `heads` are the definitions around it."""
        while (at := next_line(self.lines, at, stop)) < stop:
            if depth > _MOST_DEPTH:
                return self._add("paragraph", at, stop, heads)
            at = (
                self._heading(at, stop, depth)
                or self._explicit(at, stop, heads, depth)
                or self._table(at, stop, heads)
                or self._items(at, stop, heads)
                or self._term(at, stop, heads, depth)
                or self._paragraph(at, stop, heads, depth)
            )
        return None

    def _add(self, kind: BlockKind, at: int, stop: int, heads: tuple[str, ...]) -> None:
        last = max(place for place in range(at, stop) if not self.lines[place].blank)
        start = self.lines[at].first if kind in ("paragraph", "definition") else self.lines[at].start
        self.outline.add(kind, start, self.lines[last].end, head=" > ".join(heads))

    def _heading(self, at: int, stop: int, depth: int) -> int:
        if depth or (self.lines[at].indent and not is_adornment(self.lines[at].text)):
            return 0
        over = is_adornment(self.lines[at].text) and at + 2 < stop
        title, under = (at + 1, at + 2) if over else (at, at + 1)
        if under >= stop or self.lines[title].blank or not is_adornment(self.lines[under].text):
            return 0
        mark = self.lines[under].text
        if over and mark[0] != self.lines[at].text[0]:
            return 0
        words = self.lines[title].text
        if is_adornment(words) or len(mark) < min(len(words) - 2, 60) or self.lines[under].indent:
            return 0
        style = mark[0] + ("^" if over else "")
        if style not in self._styles:
            self._styles.append(style)
        level = self._styles.index(style)
        self.outline.heading(words, level=level, start=self.lines[at].start, end=self.lines[under].end)
        return under + 1

    def _explicit(self, at: int, stop: int, heads: tuple[str, ...], depth: int) -> int:
        line = self.lines[at]
        if not self._marked or not (line.text.startswith(".. ") or line.text == ".."):
            return 0
        end = max(region_end(self.lines, at + 1, stop, indent=line.indent), at + 1)
        found = _DIRECTIVE.match(line.text)
        if found is None:
            self._add("paragraph", at, end, heads)
            return end
        first = min(run_end(self.lines, at, stop), end)
        kind = _kind(found["name"])
        if kind == "definition":
            inside = (*heads, _shown(signature_of(found["rest"] or "")))
            self._add("definition", at, first, inside)
            self.region(first, end, heads=inside, depth=depth + 1)
        elif kind == "paragraph":
            self._add("paragraph", at, first, heads)
            self.region(first, end, heads=heads, depth=depth + 1)
        else:
            self._add(kind, at, end, heads)
        return end

    def _table(self, at: int, stop: int, heads: tuple[str, ...]) -> int:
        end = table_end(self.lines, at, stop)
        if end:
            self._add("table", at, end, heads)
        return end

    def _items(self, at: int, stop: int, heads: tuple[str, ...]) -> int:
        """A list with all that belongs to its items."""
        first, indent, end = at, self.lines[at].indent, 0
        while at < stop and self.lines[at].indent == indent and is_item(self.lines[at].text, marked=self._marked):
            end = max(region_end(self.lines, at + 1, stop, indent=indent), at + 1)
            at = next_line(self.lines, end, stop)
        if end:
            self._add("list", first, end, heads)
        return end

    def _term(self, at: int, stop: int, heads: tuple[str, ...], depth: int) -> int:
        """A term with what it means, indented, right below it."""
        line = self.lines[at]
        if at + 1 >= stop or self.lines[at + 1].blank or self.lines[at + 1].indent <= line.indent:
            return 0
        if len(line.text) > _MOST_TERM or line.text.endswith((".", ",", ";", "::")) or line.text.startswith(">>>"):
            return 0
        end = region_end(self.lines, at + 1, stop, indent=line.indent)
        if looks_like_code(self.lines[at + 1 : end]):
            return 0
        inside = (*heads, _shown(line.text))
        self._add("definition", at, at + 1, inside)
        self.region(at + 1, end, heads=inside, depth=depth + 1)
        return end

    def _paragraph(self, at: int, stop: int, heads: tuple[str, ...], depth: int) -> int:
        line = self.lines[at]
        end = run_end(self.lines, at, stop)
        end = next((p for p in range(at + 1, end) if self.lines[p].indent < line.indent), end)
        if line.text.startswith(">>>"):
            self._add("code", at, end, heads)
            return end
        below = next_line(self.lines, end, stop)
        after = region_end(self.lines, below, stop, indent=line.indent)
        what = self._below(at, end, below, after)
        if what == "definition":
            inside = (*heads, _shown(signature_of(line.text)))
            self._add("definition", at, end, inside)
            self.region(below, after, heads=inside, depth=depth + 1)
            return after
        self._add("paragraph", at, end, heads)
        if what == "code":
            self._add("code", below, after, heads)
            return after
        return end

    def _below(self, at: int, end: int, below: int, after: int) -> Literal["code", "definition", "prose"]:
        """What the indented region below a paragraph is to it."""
        if after <= below:
            return "prose"
        last = self.lines[end - 1].text
        if self._marked:
            return "code" if last.endswith("::") else "prose"
        if looks_like_code(self.lines[below:after]):
            return "code"
        above = [line.text for line in self.lines[at:end]]
        return "definition" if looks_like_signature(above) and not is_label(last) else "prose"


def _kind(name: str) -> BlockKind:
    if name in _DESCRIBES:
        return "definition"
    return "code" if name in _CODE else "table" if name in _TABLES else "paragraph"


def _shown(head: str) -> str:
    words = plain_words(head)
    return words if len(words) <= _MOST_TERM else words[: _MOST_TERM - 1].rstrip() + "…"
