"""Blocks of Markdown, as CommonMark with tables reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genwright.core import load_reference
from genwright.modalities.document.document import Block, BlockKind
from genwright.modalities.document.lines import Line, lines_of
from genwright.modalities.document.sections import Outline

if TYPE_CHECKING:
    from markdown_it.token import Token

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
}


def markdown_blocks(text: str, /) -> list[Block]:
    """The blocks at the top of the document; those inside a list or a quotation belong to it."""
    parser: Any = load_reference("markdown_it:MarkdownIt", extra="documents")("commonmark").enable("table")
    lines, outline, at = lines_of(text), Outline(), 0
    tokens: list[Token] = parser.parse(text)
    for place, token in enumerate(tokens):
        if token.level or token.map is None or token.type.endswith("_close"):
            continue
        first, stop = token.map
        _paragraphs(lines, at, first, outline)
        span = _span(lines, max(at, first), stop)
        at = max(at, stop)
        if span is None:
            continue
        if token.type == "heading_open":
            outline.heading(_words(tokens[place + 1]), level=int(token.tag[1:]), start=span[0], end=span[1])
        else:
            outline.add(_KINDS.get(token.type, "paragraph"), *span)
    _paragraphs(lines, at, len(lines), outline)
    return outline.blocks


def _paragraphs(lines: list[Line], at: int, stop: int, outline: Outline) -> None:
    """Lines that are in no token: definitions of links."""
    span = _span(lines, at, stop)
    if span is not None:
        outline.add("paragraph", *span)


def _span(lines: list[Line], at: int, stop: int) -> tuple[int, int] | None:
    held = [line for line in lines[at:stop] if not line.blank]
    return (held[0].start, held[-1].end) if held else None


def _words(inline: Token) -> str:
    return "".join(" " if child.type.endswith("break") else child.content for child in inline.children or ())
