"""A document, the blocks that it is made of, and the chunks that it is found by. All spans are of its text."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Format = Literal["markdown", "rst", "text"]
BlockKind = Literal["heading", "paragraph", "list", "code", "table", "definition"]


@dataclass(frozen=True)
class Document:
    """One document. `text` is kept to the character: quotes are compared with it.

    `format` is how its structure is marked; pages of HTML and office documents were turned into Markdown when read.
    `url` is where a reader finds it, empty where that is not known.
    """

    id: str
    title: str
    text: str
    format: Format = "text"
    source: str = ""
    licence: str = ""
    url: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all that a search shows of it."""
        parts = (self.id, self.title, self.format, self.source, self.licence, self.url, self.text)
        return sha256("\x00".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Block:
    """A piece that is kept whole where it fits: text[start:end] without the blank lines around it.

    `path` are the headings above it, from the title of its part down; `section` is where the text of its
    innermost section starts. `head` is the signature of a definition that the block describes, else empty.
    """

    kind: BlockKind
    start: int
    end: int
    path: tuple[str, ...] = ()
    section: int = 0
    head: str = ""


def below(header: str, text: str, /) -> str:
    """A text as it is embedded and searched: below its header, where there is one."""
    return f"{header}\n{text}" if header else text


@dataclass(frozen=True)
class Chunk:
    """What is embedded and found: text[start:end] of a document, below a header that says where it stands.

    `header` names the document, the headings above and the definition that it belongs to; it is embedded and searched
    with the text and is no part of a quote. `section` is the start of its innermost section: chunks with the same one
    stand together. `flags` name what looks like an attack on a reader. `parts` are the spans that are embedded, each
    below the header, where the chunk is not embedded as a whole.
    """

    document: str
    number: int
    start: int
    end: int
    header: str
    path: tuple[str, ...] = ()
    section: int = 0
    kind: BlockKind = "paragraph"
    flags: tuple[str, ...] = ()
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def embedded(self) -> tuple[tuple[int, int], ...]:
        """The spans that have a vector each."""
        return self.parts or ((self.start, self.end),)

    @property
    def id(self) -> str:
        """The document and the span."""
        return f"{self.document}#{self.start}-{self.end}"
