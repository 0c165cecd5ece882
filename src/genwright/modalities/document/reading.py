"""Documents out of files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from genwright.core import DataError, load_reference
from genwright.core.protocols import Unreadable
from genwright.modalities.document.config import DocumentSourceConfig, is_link
from genwright.modalities.document.document import Document, Format
from genwright.modalities.document.structure import title_of
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.text.readers.literals import python_dictionary
from genwright.modalities.text.records import Record, UnreadableError, decode, read_all, read_lines

SUFFIXES = {
    **dict.fromkeys(("txt", "text", "log", "tex"), "text"),
    **dict.fromkeys(("md", "markdown"), "markdown"),
    **dict.fromkeys(("rst", "rest"), "rst"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("jsonl", "ndjson"), "jsonl"),
    **dict.fromkeys(("py", "pyi"), "python-dict"),
    **{name: name for name in ("pdf", "docx")},
}
_FRONT_MATTER = re.compile(r"\A---\r?\n.*?^(?:---|\.\.\.)[ \t]*\r?\n", re.DOTALL | re.MULTILINE)
_LIBRARY = "genwright.modalities.text.readers.documents"


@dataclass(frozen=True)
class _Found:
    text: str
    format: Format
    key: str = ""
    id: str = ""
    title: str = ""
    url: str = ""


Found = Iterator[_Found | UnreadableError]


def read_documents(source: DocumentSourceConfig, /, *, root: Path) -> Iterator[Document | Unreadable]:
    """The documents of a source in the order of its files; with `on_error = "drop"`, what cannot be read, too.

    Raises:
        DataError: a document cannot be read, and the source says `fail`.
    """
    for file in list_files(source, root=root):
        for item in _read(file, source):
            if isinstance(item, _Found):
                yield _document(item, file, source)
                continue
            if source.on_error == "fail":
                raise DataError(item.message, hint=item.hint)
            yield Unreadable(f"{file.name}#{item.key}" if item.key else file.name, item.reason)


def _read(file: SourceFile, source: DocumentSourceConfig) -> Found:
    kind = _kind(file.path.name) if source.format == "auto" else source.format
    if kind is None:
        yield UnreadableError(
            f"{file.path}: no reader is known for its suffix",
            reason="unknown-format",
            hint=f"set the source's format ({', '.join(READERS)}), exclude the file, or set on_error = 'drop'",
        )
        return
    try:
        for item in READERS[kind](file, source):
            yield item if isinstance(item, UnreadableError) else _storable(item, file)
    except UnreadableError as error:
        yield error


def _kind(name: str) -> str | None:
    """The format by the last suffix; before `.txt` and `.gz` may stand one that says more (`page.rst.txt`)."""
    parts = name.lower().removesuffix(".gz").split(".")[1:]
    if len(parts) > 1 and parts[-1] == "txt" and SUFFIXES.get(parts[-2]) in ("rst", "markdown"):
        parts.pop()
    return SUFFIXES.get(parts[-1]) if parts else None


def _storable(item: _Found, file: SourceFile) -> _Found | UnreadableError:
    try:
        item.text.encode()
    except UnicodeEncodeError as error:
        where = f"{file.path}#{item.key}" if item.key else str(file.path)
        return UnreadableError(
            f"{where} holds half a character (offset {error.start:,})",
            reason="broken-utf8",
            key=item.key,
            hint="write it again as UTF-8, or set on_error = 'drop'",
        )
    return item


def _document(item: _Found, file: SourceFile, source: DocumentSourceConfig) -> Document:
    name = item.id or (f"{file.name}#{item.key}" if item.key else file.name)
    url = item.url or (file.name if is_link(file.name) else "")
    if source.url and not item.url:
        below = file.name.removeprefix(source.strip)
        stem = re.sub(r"(?:\.[A-Za-z]{2,8}){1,2}$", "", below)
        url = source.url.format(name=quote(below), stem=quote(stem), key=quote(item.key))
    made = Document(name, "", item.text, item.format, source.label, source.licence, url)
    fallback = item.key or file.name.rpartition("/")[2].partition(".")[0] or name
    return replace(made, title=item.title or title_of(made, fallback=fallback))


def _plain(form: Format) -> Callable[[SourceFile, DocumentSourceConfig], Found]:
    def read(file: SourceFile, source: DocumentSourceConfig) -> Found:
        data = read_all(file.path, limit_bytes=source.max_document_bytes)
        text = decode(data, where=str(file.path), source=source)
        yield _Found(_FRONT_MATTER.sub("", text, count=1) if form == "markdown" else text, form)

    return read


def _converted(reader: str, form: Format) -> Callable[[SourceFile, DocumentSourceConfig], Found]:
    def read(file: SourceFile, source: DocumentSourceConfig) -> Found:
        items: Iterator[Record | UnreadableError] = load_reference(f"{_LIBRARY}:{reader}")(file, source=source)
        for item in items:
            yield item if isinstance(item, UnreadableError) else _Found(item.text, form)

    return read


def _entries(file: SourceFile, source: DocumentSourceConfig) -> Found:
    for key, text in python_dictionary(file, source=source).items():
        yield _Found(text, "text", key)


def _lines(file: SourceFile, source: DocumentSourceConfig) -> Found:
    for number, line in read_lines(file.path, limit_bytes=source.max_document_bytes):
        if isinstance(line, UnreadableError):
            yield line
        elif line.strip():
            yield _line(line, f"{file.path}:{number}", str(number), source)


def _line(line: bytes, where: str, key: str, source: DocumentSourceConfig) -> _Found | UnreadableError:
    try:
        row: Any = json.loads(decode(line, where=where, source=source, key=key))
    except UnreadableError as error:
        return error
    except (ValueError, RecursionError) as error:
        return UnreadableError(f"{where} is not JSON ({error})", reason="not-json", key=key, hint=_EXAMPLE)
    if not isinstance(row, dict):
        return UnreadableError(f"{where} is no JSON object", reason="not-json", key=key, hint=_EXAMPLE)
    held: dict[str, str] = {}
    for name in ("id", "title", "text", "url"):
        field = getattr(source, f"{name}_field")
        value = row.get(field, None if name == "text" else "")
        if not isinstance(value, str):
            return UnreadableError(f"{where}: '{field}' is no text", reason="no-text-field", key=key, hint=_EXAMPLE)
        held[name] = value
    if held["url"] and not is_link(held["url"]):
        return UnreadableError(
            f"{where}: '{held['url'][:80]}' is no address to lead a reader to",
            reason="bad-url",
            key=key,
            hint="http, https and file are; or set on_error = 'drop'",
        )
    return _Found(held["text"], "text", key, held["id"], held["title"], held["url"])


_EXAMPLE = (
    'for example {"id": "faq", "title": "Questions", "text": "...", "url": "https://..."}; or on_error = \'drop\''
)
READERS: Mapping[str, Callable[[SourceFile, DocumentSourceConfig], Found]] = {
    "text": _plain("text"),
    "markdown": _plain("markdown"),
    "rst": _plain("rst"),
    "html": _converted("read_seen_html", "markdown"),
    "pdf": _converted("read_pdf", "text"),
    "docx": _converted("read_docx_markdown", "markdown"),
    "python-dict": _entries,
    "jsonl": _lines,
}
