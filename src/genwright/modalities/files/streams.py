"""The tar inside a compressed file or a Debian package, read once from front to back, within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from genwright.core import DataError, load_reference

MAX_RATIO = 200  # text tables pack 5 to 20 times, DEFLATE at most 1,032 times
_FREE_BYTES = 64 << 20  # what any archive may unpack to
_AR = b"!<arch>\n"
_AR_HEADER_BYTES = 60


@contextmanager
def opened_tar(path: Path, /) -> Iterator[tarfile.TarFile]:
    """A `.tar`, `.tar.gz`, `.tar.bz2`, `.tar.xz` or `.tar.zst`, or the data of a `.deb`, as a stream.

    Raises:
        DataError: it is none of these, or unpacks to more than `MAX_RATIO` times its size.
        DependencyError: it is packed by Zstandard, and pyarrow is not installed.
    """
    with path.open("rb") as file:
        packed = _deb_data(file, path) if file.read(len(_AR)) == _AR else _from_start(file)
        limit_bytes = max(_FREE_BYTES, MAX_RATIO * path.stat().st_size)
        bounded = _Bounded(_unpacked(packed), limit_bytes=limit_bytes, path=path)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            yield archive


def _from_start(file: io.BufferedReader) -> io.BufferedReader:
    file.seek(0)
    return file


def _deb_data(file: IO[bytes], path: Path) -> io.BufferedReader:
    """The member `data.tar*` of a Debian package.

    Source: deb(5), ar(5): 60-byte headers (name 16, date 12, owner 6, group 6, mode 8, size 10, end 2), even offsets.
    """
    while len(header := file.read(_AR_HEADER_BYTES)) == _AR_HEADER_BYTES:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            break
        if name.startswith("data.tar"):
            return io.BufferedReader(_Part(file, int(size)))
        file.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise DataError(f"{path} is no whole Debian package: it has no data.tar", hint="fetch it again")


def _unpacked(packed: io.BufferedReader) -> IO[bytes]:
    start = packed.peek(6)[:6]
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=packed))
    if start.startswith(b"\xfd7zXZ\0") or start.startswith(b"\x5d\0\0"):
        return lzma.LZMAFile(packed)
    if start.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(packed))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        # Python reads Zstandard from 3.14 on; pyarrow, which the data stage needs anyway, reads it everywhere.
        stream = load_reference("pyarrow:CompressedInputStream", extra="data")
        return cast("IO[bytes]", stream(load_reference("pyarrow:PythonFile")(packed, mode="r"), "zstd"))
    return packed


class _Part(io.RawIOBase):
    """The next bytes of a file, as a file."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file, self._left = file, size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class _Bounded(io.RawIOBase):
    """A stream that ends in an error past its bound: what unpacks so far was made to harm."""

    def __init__(self, stream: IO[bytes], *, limit_bytes: int, path: Path) -> None:
        self._stream, self._left, self._limit, self._path = stream, limit_bytes, limit_bytes, path

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._path.name} unpacks to more than {self._limit:,} bytes, {MAX_RATIO} times its size",
                hint="if you trust the archive, unpack it by hand and name the files",
            )
        return data
