"""HTML, PDF and DOCX through the libraries that know them; the extra `documents`."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from genwright.core.registry import load_reference
from genwright.modalities.text.config import ReadingConfig
from genwright.modalities.text.records import Record, UnreadableError, decode, read_all
from genwright.modalities.text.sources import SourceFile

_EXTRA = "documents"
_BOMB = 200  # no honest document unpacks to so many times its size
_STYLED = re.compile(r"""(<[a-zA-Z][^<>]*?\s)(style\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'))""")
# The library itself leaves out `hidden`, `display: none`, `visibility: hidden` and a font size of 0.
_HIDING = re.compile(
    r"(?:^|;)\s*(?:opacity\s*:\s*0*\.?0*|font-size\s*:\s*[01](?:\.\d+)?(?:px|pt)|color\s*:\s*transparent"
    r"|(?:max-)?(?:height|width)\s*:\s*0(?:px)?|(?:left|top|right|text-indent|margin-left)\s*:\s*-\d{3,}(?:px|em|rem|%)"
    r"|clip(?:-path)?\s*:\s*(?:rect\(0|inset\(100%)[^;]*)\s*(?:!important\s*)?(?:;|$)",
    re.IGNORECASE,
)


def read_html(file: SourceFile, *, source: ReadingConfig) -> Iterator[Record | UnreadableError]:
    """The page as Markdown, without scripts, styles and navigation."""
    yield _page(file, source, lambda page: page)


def read_seen_html(file: SourceFile, *, source: ReadingConfig) -> Iterator[Record | UnreadableError]:
    """The page as `read_html` gives it, without what its own style attributes hide from a reader."""
    yield _page(file, source, _hidden_marked)


def _hidden_marked(page: str) -> str:
    """The page with `hidden` on elements whose own style makes them invisible; style sheets are not read."""
    return _STYLED.sub(
        lambda found: f"{found[1]}{'hidden ' if _HIDING.search(found[3] or found[4] or '') else ''}{found[2]}", page
    )


def _page(file: SourceFile, source: ReadingConfig, prepared: Callable[[str], str]) -> Record | UnreadableError:
    convert = load_reference("html_to_markdown:convert", extra=_EXTRA)
    options = load_reference("html_to_markdown:ConversionOptions", extra=_EXTRA)(
        extract_metadata=False,
        skip_images=True,
        max_input_size=2 * source.max_document_bytes,
    )
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    page = prepared(decode(data, where=str(file.path), source=source))
    return _extracted(file, lambda: str(convert(page, options).content or ""))


def read_pdf(file: SourceFile, *, source: ReadingConfig) -> Iterator[Record | UnreadableError]:
    """The text of all pages; scanned pages have none."""
    reader = load_reference("pypdf:PdfReader", extra=_EXTRA)
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    yield _extracted(file, lambda: "\n\n".join(page.extract_text() for page in reader(BytesIO(data)).pages))


def read_docx_markdown(file: SourceFile, *, source: ReadingConfig) -> Iterator[Record | UnreadableError]:
    """As Markdown: headings by their styles, items of lists, tables with pipes."""
    document = load_reference("docx:Document", extra=_EXTRA)
    data = _packed(file, source)
    yield _extracted(
        file, lambda: "\n\n".join(_marked(block) for block in document(BytesIO(data)).iter_inner_content())
    )


def read_docx(file: SourceFile, *, source: ReadingConfig) -> Iterator[Record | UnreadableError]:
    """Paragraphs and tables in reading order; cells are parted by tabs."""
    document = load_reference("docx:Document", extra=_EXTRA)
    data = _packed(file, source)
    yield _extracted(file, lambda: "\n\n".join(_blocks(document(BytesIO(data)))))


def _packed(file: SourceFile, source: ReadingConfig) -> bytes:
    """The bytes of a document that is a zip.

    Raises:
        UnreadableError: it is too large, or says that it unpacks to far more than it weighs.
    """
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    try:
        with ZipFile(BytesIO(data)) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
    except BadZipFile:
        return data  # the reader says what is wrong with it
    if size_bytes > _BOMB * len(data):
        raise UnreadableError(
            f"{file.path} would unpack {len(data):,} bytes to {size_bytes:,}, more than {_BOMB} times as many",
            reason="too-large",
            hint="do not use it unless you know where it comes from, or set on_error = 'drop'",
        )
    return data


def _blocks(document: Any) -> Iterator[str]:
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            yield "\n".join("\t".join(cell.text for cell in row.cells) for row in block.rows)
        else:
            yield block.text


def _marked(block: Any) -> str:
    if hasattr(block, "rows"):
        rows = [[" ".join(cell.text.replace("|", "\\|").split()) for cell in row.cells] for row in block.rows]
        rule = ["---"] * max((len(row) for row in rows), default=0)
        return "\n".join(f"| {' | '.join(row)} |" for row in (*rows[:1], rule, *rows[1:]))
    style = str(getattr(block.style, "name", "") or "")
    if style == "Title":
        return f"# {block.text}"
    if style.startswith("Heading ") and style[8:].isdigit():
        return f"{'#' * min(int(style[8:]), 6)} {block.text}"
    return f"- {block.text}" if style.startswith("List ") else str(block.text)


def _extracted(file: SourceFile, extract: Callable[[], str]) -> Record | UnreadableError:
    try:
        return Record("", extract())
    except Exception as error:  # the libraries raise what their parsers raise: dozens of unrelated types
        return UnreadableError(
            f"{file.path} cannot be read as what its format says ({type(error).__name__}: {error})",
            reason="corrupt",
            hint="open it with its own program to see, or set on_error = 'drop'",
        )
