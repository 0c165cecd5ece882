"""The blocks that a document is made of."""

from __future__ import annotations

import re

from genwright.modalities.document.document import Block, Document
from genwright.modalities.document.indented import indented_blocks
from genwright.modalities.document.markdown import markdown_blocks
from genwright.modalities.document.sections import plain_words

_UNSEEN = {
    "rst": re.compile(
        r"\.\. (?:_|\||#|\[|(?:index|highlight|module|currentmodule|sectionauthor|moduleauthor|codeauthor|toctree|"
        r"contents|image|tabularcolumns|only|testsetup|testcleanup|rst-class|meta|default-domain)::|(?![\w:+-]+::))"
        r"|\.\.$|:orphan:|:tocdepth:"
    ),
    "markdown": re.compile(r"<!--|\[[^\]]+\]:"),
    "text": re.compile(r"(?!)"),
}
_RULE = re.compile(r"\W+", re.ASCII)


def blocks(document: Document, /) -> list[Block]:
    """The blocks in their order, no two of which overlap; together they hold all that is not white space.

    A piece is read by the format's own marks: headings with their levels, lists, code, tables, and definitions (a
    signature, with what stands below it). What has no marks is a paragraph, so no document is too broken.
    """
    if document.format == "markdown":
        return markdown_blocks(document.text)
    return indented_blocks(document.text, marked=document.format == "rst")


def seen(document: Document, block: Block, /) -> bool:
    """Whether a reader sees anything of a block: targets, comments, rules and lists of contents are markup alone."""
    text = document.text[block.start : block.end].strip()
    if block.kind in ("code", "table", "heading"):
        return True
    return not (_UNSEEN[document.format].match(text) or (text.isascii() and _RULE.fullmatch(text)))


def title_of(document: Document, /, *, fallback: str) -> str:
    """The first heading, or the fallback where there is none."""
    first = next((block for block in blocks(document) if block.kind == "heading"), None)
    if first is None:
        return fallback
    lines = [line.strip(" #\t") for line in document.text[first.start : first.end].splitlines()]
    return plain_words(next((line for line in lines if re.search(r"\w", line)), fallback))
