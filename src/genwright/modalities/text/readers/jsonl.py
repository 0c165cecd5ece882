"""JSON lines: each line an object, one of whose fields is the text."""

import json
from collections.abc import Iterator

from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.readers.fields import record_of
from genwright.modalities.text.records import Record, UnreadableError, decode, read_lines
from genwright.modalities.text.sources import SourceFile


def read_jsonl(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """One document per line; blank lines are skipped, and each bad line is an error of its own."""
    for number, line in read_lines(file.path, limit_bytes=source.max_document_bytes):
        if isinstance(line, UnreadableError):
            yield line
        elif line.strip():
            yield _record(line, number=number, file=file, source=source)


def _record(line: bytes, *, number: int, file: SourceFile, source: SourceConfig) -> Record | UnreadableError:
    where, key = f"{file.path}:{number}", str(number)
    try:
        row = json.loads(decode(line, where=where, source=source, key=key))
    except UnreadableError as error:
        return error
    except (ValueError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; the file ends inside this line, so it may be truncated"
        return UnreadableError(
            f"{where} is not JSON ({error}){cut}",
            reason="not-json",
            key=key,
            hint="correct the line, fetch the file again, or set on_error = 'drop'",
        )
    if not isinstance(row, dict):
        return UnreadableError(
            f"{where} is a JSON {type(row).__name__}, not an object",
            reason="not-json",
            key=key,
            hint='for example {"text": "..."}',
        )
    return record_of(row, source=source, where=where, key=key)
