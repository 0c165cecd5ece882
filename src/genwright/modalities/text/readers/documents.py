"""HTML, PDF and DOCX through the libraries that know them; the extra `documents`."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from genwright.core.registry import load_reference
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.records import Record, UnreadableError, decode, read_all
from genwright.modalities.text.sources import SourceFile

_EXTRA = "documents"


def read_html(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """The page as Markdown, without scripts, styles and navigation."""
    convert = load_reference("html_to_markdown:convert", extra=_EXTRA)
    options = load_reference("html_to_markdown:ConversionOptions", extra=_EXTRA)(
        extract_metadata=False, skip_images=True, max_input_size=source.max_document_bytes
    )
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    page = decode(data, where=str(file.path), source=source)
    yield _extracted(file, lambda: str(convert(page, options).content or ""))


def read_pdf(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """The text of all pages; scanned pages have none."""
    reader = load_reference("pypdf:PdfReader", extra=_EXTRA)
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    yield _extracted(file, lambda: "\n\n".join(page.extract_text() for page in reader(BytesIO(data)).pages))


def read_docx(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """Paragraphs and tables in reading order; cells are parted by tabs."""
    document = load_reference("docx:Document", extra=_EXTRA)
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    yield _extracted(file, lambda: "\n\n".join(_blocks(document(BytesIO(data)))))


def _blocks(document: Any) -> Iterator[str]:
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            yield "\n".join("\t".join(cell.text for cell in row.cells) for row in block.rows)
        else:
            yield block.text


def _extracted(file: SourceFile, extract: Any) -> Record | UnreadableError:
    try:
        return Record("", extract())
    except Exception as error:  # the libraries raise what their parsers raise: dozens of unrelated types
        return UnreadableError(
            f"{file.path} cannot be read as what its format says ({type(error).__name__}: {error})",
            reason="corrupt",
            hint="open it with its own program to see, or set on_error = 'drop'",
        )
