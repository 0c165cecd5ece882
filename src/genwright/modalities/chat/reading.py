"""Chats out of files: JSON lines, Parquet, and pairs made of Python source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.chat.config import ChatSourceConfig
from genwright.modalities.chat.messages import Messages, table
from genwright.modalities.chat.summaries import pairs
from genwright.modalities.chat.tasks import tasks
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.text.records import UnreadableError, read_all, read_lines

ROWS_AT_ONCE = 2048
SUFFIXES = {"jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet", "py": "python-summaries"}


@dataclass(frozen=True)
class _Chat:
    key: str
    messages: Messages
    group: str | None = None


Found = Iterator[_Chat | UnreadableError]


def read_chats(source: ChatSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
    """Tables of at most 2,048 chats of one file.

    Raises:
        DataError: a file or a line cannot be read, and the source says `fail`.
    """
    for file in list_files(source, root=root):
        held: list[_Chat] = []
        for item in _chats(file, source):
            if isinstance(item, UnreadableError):
                if source.on_error == "fail":
                    raise DataError(item.message, hint=item.hint)
                yield Unreadable(f"{file.name}#{item.key}", item.reason)
                continue
            held.append(item)
            if len(held) == ROWS_AT_ONCE:
                yield _table(held, file, source)
                held = []
        if held:
            yield _table(held, file, source)


def _table(held: list[_Chat], file: SourceFile, source: ChatSourceConfig) -> pa.Table:
    names = [f"{file.name}#{one.key}" for one in held]
    groups = [_group(one, name, file, source) for one, name in zip(held, names, strict=True)]
    made = table(names, groups, [one.messages for one in held])
    if source.split == "by-group":
        return made
    return made.append_column("split", pa.array([source.split] * len(made), pa.string()))


def _group(one: _Chat, name: str, file: SourceFile, source: ChatSourceConfig) -> str:
    if one.group is not None:
        return f"{source.label}#{one.group}"
    package = file.name.rpartition(":")[2].partition("/")[0].removesuffix(".py")
    return {"document": name, "file": file.name, "package": package, "source": source.label}[source.group_by]


def _chats(file: SourceFile, source: ChatSourceConfig) -> Found:
    suffix = file.path.name.lower().removesuffix(".gz").rpartition(".")[2]
    kind = SUFFIXES.get(suffix) if source.format == "auto" else source.format
    if kind is None:
        yield UnreadableError(
            f"{file.path}: no reader is known for '.{suffix}'",
            reason="unknown-format",
            hint="set the source's format (jsonl, parquet, python-summaries), or on_error = 'drop'",
        )
        return
    try:
        yield from READERS[kind](file, source)
    except UnreadableError as error:
        yield error


def _lines(file: SourceFile, source: ChatSourceConfig) -> Found:
    for number, line in read_lines(file.path, limit_bytes=source.max_document_bytes):
        if isinstance(line, UnreadableError):
            yield line
        elif line.strip():
            yield _line(line, f"{file.path}:{number}", str(number), source)


def _line(line: bytes, where: str, key: str, source: ChatSourceConfig) -> _Chat | UnreadableError:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return UnreadableError(
            f"{where} is not JSON ({error})", reason="not-json", key=key, hint="correct the line, or on_error = 'drop'"
        )
    if not isinstance(row, dict):
        return _wrong(f"{where} is a JSON {type(row).__name__}, not an object", key)
    return _chat(row, where, key, source)


def _rows(file: SourceFile, source: ChatSourceConfig) -> Found:
    try:
        with pq.ParquetFile(file.path) as parquet:
            number = 0
            for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield _chat(row, f"{file.path}, row {number}", str(number), source)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"{file.path} is not Parquet ({error})", reason="corrupt") from None


def _summaries(file: SourceFile, source: ChatSourceConfig) -> Found:
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    try:
        for name, code, summary in pairs(
            data, max_code_characters=source.max_code_characters, min_words=source.min_words
        ):
            yield _Chat(name, _messages(code, summary, source))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{file.path} is not Python source ({error})", reason="corrupt") from None


def _tasks(file: SourceFile, source: ChatSourceConfig) -> Found:
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    try:
        for name, question, code in tasks(data, max_code_characters=source.max_code_characters):
            yield _Chat(name, _messages(question, code, source))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{file.path} is not Python source ({error})", reason="corrupt") from None


READERS: Mapping[str, Callable[[SourceFile, ChatSourceConfig], Found]] = {
    "jsonl": _lines,
    "parquet": _rows,
    "python-summaries": _summaries,
    "python-tasks": _tasks,
}


def _chat(row: Mapping[str, Any], where: str, key: str, source: ChatSourceConfig) -> _Chat | UnreadableError:
    named = row.get(source.group_field) if source.group_field else None
    group = None if named is None else str(named)
    if source.messages_field in row:
        messages = row[source.messages_field]
        if not isinstance(messages, list) or not all(_is_message(one) for one in messages):
            return _wrong(f"{where}: '{source.messages_field}' is no list of messages", key)
        return _Chat(key, _with_system(messages, source), group)
    question, answer = row.get(source.prompt_field), row.get(source.completion_field)
    if not isinstance(question, str) or not isinstance(answer, str):
        return _wrong(
            f"{where} has neither '{source.messages_field}' nor texts in '{source.prompt_field}' and "
            f"'{source.completion_field}' (fields: {', '.join(sorted(map(str, row)))})",
            key,
        )
    return _Chat(key, _messages(question, answer, source), group)


def _is_message(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(name), str) for name in ("role", "content"))


def _messages(question: str, answer: str, source: ChatSourceConfig) -> Messages:
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return _with_system(said, source)


def _with_system(messages: Messages, source: ChatSourceConfig) -> Messages:
    return messages if source.system is None else [{"role": "system", "content": source.system}, *messages]


def _wrong(message: str, key: str) -> UnreadableError:
    return UnreadableError(
        message,
        reason="no-messages",
        key=key,
        hint='for example {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]} '
        "or the names of the source's fields in messages_field, prompt_field and completion_field",
    )
