"""What readers yield, and how bytes become text within limits."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from genwright.core import DataError
from genwright.modalities.text.config import ReadingConfig

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Record:
    """One document of a file: `key` tells it from the others in that file, empty for the whole file."""

    key: str
    text: str
    group: str | None = None


class UnreadableError(DataError):
    """A document that cannot be read. `reason` is short and the same for all of its kind; `key` as in `Record`."""

    def __init__(self, message: str, /, *, reason: str, key: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.key = key


@dataclass(frozen=True)
class Unread:
    """A document that a source with `on_error = "drop"` lost, and why."""

    id: str
    source: str
    licence: str
    reason: str
    detail: str


def _opener(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def open_bytes(path: Path, /) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed where its name ends in `.gz`.

    Raises:
        UnreadableError: it cannot be opened, or its compression is broken.
    """
    try:
        with _opener(path) as handle:
            yield handle
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableError(
            f"{path} is not a whole gzip file ({error})", reason="corrupt", hint="fetch it again"
        ) from None
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read ({error})", reason="unreadable", hint="check its permissions"
        ) from None


def read_all(path: Path, *, limit_bytes: int) -> bytes:
    """The whole file.

    Raises:
        UnreadableError: it is larger than `limit_bytes`.
    """
    with open_bytes(path) as handle:
        data = handle.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise too_large(str(path), limit_bytes)
    return data


def read_lines(path: Path, *, limit_bytes: int) -> Iterator[tuple[int, bytes | UnreadableError]]:
    """Lines with their numbers from 1; a longer line than `limit_bytes` comes as an error and is never held."""
    with open_bytes(path) as handle:
        number = 0
        while line := handle.readline(limit_bytes + 1):
            number += 1
            if len(line) > limit_bytes and not line.endswith(b"\n"):
                while (rest := handle.readline(_BLOCK)) and not rest.endswith(b"\n"):
                    pass
                yield number, too_large(f"{path}:{number}", limit_bytes, key=str(number))
            else:
                yield number, line


def too_large(where: str, limit_bytes: int, *, key: str = "") -> UnreadableError:
    """The error for a document past its limit."""
    return UnreadableError(
        f"{where} is longer than max_document_bytes = {limit_bytes:,}",
        reason="too-large",
        key=key,
        hint="raise max_document_bytes of this source, split it (split_documents), or set on_error = 'drop'",
    )


def decode(data: bytes, *, where: str, source: ReadingConfig, key: str = "") -> str:
    """The text of `data` in the source's encoding, without a byte-order mark.

    Raises:
        UnreadableError: the bytes are not of that encoding.
        DataError: no such encoding exists.
    """
    try:
        return data.decode(source.encoding).removeprefix("\ufeff")
    except LookupError:
        raise DataError(
            f"encoding = '{source.encoding}' is unknown", hint="for example 'utf-8', 'utf-16', 'cp1252'"
        ) from None
    except UnicodeDecodeError as error:
        hint = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252' or 'latin-1"
        raise UnreadableError(
            f"{where} is not {source.encoding}: byte 0x{data[error.start]:02x} at offset {error.start:,}",
            reason="wrong-encoding",
            key=key,
            hint=f"set the source's encoding (perhaps '{hint}'), or on_error = 'drop'",
        ) from None
