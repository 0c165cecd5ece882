"""Plain text, Markdown and Python source: a file, a line or a stretch between separators is a document."""

import codecs
import re
import tokenize
from collections.abc import Iterator
from io import BytesIO

from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.records import (
    Record,
    UnreadableError,
    decode,
    open_bytes,
    read_all,
    read_lines,
    too_large,
)
from genwright.modalities.text.sources import SourceFile

_BLOCK = 1 << 16
_FRONT_MATTER = re.compile(r"\A---\r?\n.*?^(?:---|\.\.\.)[ \t]*\r?\n", re.DOTALL | re.MULTILINE)


def read_text(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """The documents of a text file, split as the source says."""
    if source.split_documents == "line":
        return _lines(file, source)
    if source.split_documents == "separator":
        return _stretches(file, source)
    return iter([_whole(file, source)])


def read_markdown(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """Markdown as it is written (its marks are what a model learns from), without YAML front matter."""
    for record in read_text(file, source=source):
        yield (
            record
            if isinstance(record, UnreadableError)
            else Record(record.key, _FRONT_MATTER.sub("", record.text, count=1))
        )


def read_python(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """Python source in the encoding that the file itself declares (PEP 263); never executed."""
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    except SyntaxError as error:
        raise UnreadableError(
            f"{file.path}: {error.msg}", reason="wrong-encoding", hint="correct its coding line"
        ) from None
    yield Record("", decode(data, where=str(file.path), source=source.model_copy(update={"encoding": encoding})))


def _whole(file: SourceFile, source: SourceConfig) -> Record:
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    return Record("", decode(data, where=str(file.path), source=source))


def _lines(file: SourceFile, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    for number, line in read_lines(file.path, limit_bytes=source.max_document_bytes):
        if isinstance(line, UnreadableError):
            yield line
            continue
        try:
            text = decode(line, where=f"{file.path}:{number}", source=source, key=str(number)).rstrip("\r\n")
        except UnreadableError as error:
            yield error
            continue
        if text.strip():
            yield Record(str(number), text)


def _stretches(file: SourceFile, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    number = 0
    for piece in _split_stream(file, source):
        if piece.strip():
            number += 1
            yield Record(str(number), piece)


def _split_stream(file: SourceFile, source: SourceConfig) -> Iterator[str]:
    """Pieces between separators, holding no more than one of them and a block."""
    decoder = codecs.getincrementaldecoder(source.encoding)()
    held, seen = "", 0
    with open_bytes(file.path) as handle:
        while block := handle.read(_BLOCK):
            held += _decode_block(decoder, block, seen, file, source)
            seen += len(block)
            *pieces, held = held.split(source.separator)
            yield from pieces
            if len(held) > source.max_document_bytes:
                raise too_large(f"{file.path}: a document that ends after byte {seen:,}", source.max_document_bytes)
    yield held


def _decode_block(
    decoder: codecs.IncrementalDecoder, block: bytes, seen: int, file: SourceFile, source: SourceConfig
) -> str:
    try:
        return decoder.decode(block)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{file.path} is not {source.encoding}: byte 0x{error.object[error.start]:02x} near {seen + error.start:,}",
            reason="wrong-encoding",
            hint="set the source's encoding (perhaps 'cp1252'), or on_error = 'drop'",
        ) from None
