"""The container: typed fields and tensors, each where its offset says.

Source: the GGUF specification (ggml, docs/gguf.md), version 3, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.nets.gguf.types import BLOCKS, Quantisation, stored_bytes

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", BOOL: "?", 10: "Q", 11: "q", 12: "d"}
MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class Value:
    """One field: its type, for an array that of its items, and its content."""

    kind: int
    content: Any
    item: int | None = None


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as it lies in the file: shape in torch's order, and its bytes."""

    shape: tuple[int, ...]
    quantisation: Quantisation
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class GgufFile:
    """What a file holds. Tensors are mapped, not read."""

    fields: Mapping[str, Value]
    tensors: Mapping[str, StoredTensor]

    def get(self, name: str, default: Any = None, /) -> Any:
        """The content of a field."""
        found = self.fields.get(name)
        return default if found is None else found.content


def read_file(path: Path, /) -> GgufFile:
    """The fields and tensors of that file.

    Raises:
        DataError: it is no GGUF file, it is cut short, or a tensor has a type that is not known here.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as GGUF ({error})", hint="look at the file") from None
    reader = _Reader(data, path.name)
    try:
        return reader.file()
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise DataError(f"{path.name} is no whole GGUF file ({error})", hint="download it again") from None


class _Reader:
    """A place in the bytes that moves on."""

    def __init__(self, data: NDArray[np.uint8], name: str) -> None:
        self._data, self._view, self._name, self._at = data, memoryview(data.data), name, 0

    def file(self) -> GgufFile:
        if bytes(self._view[:4]) != MAGIC:
            raise DataError(f"{self._name} is no GGUF file: it does not begin with 'GGUF'")
        self._at = 4
        version, num_tensors, num_fields = self._unpack("IQQ")
        if version not in (2, VERSION):
            raise DataError(f"{self._name} is GGUF of version {version}; versions 2 and 3 can be read")
        fields = dict(self._field() for _ in range(num_fields))
        infos = [self._info() for _ in range(num_tensors)]
        alignment = int(fields["general.alignment"].content) if "general.alignment" in fields else ALIGNMENT
        start = -(-self._at // alignment) * alignment
        return GgufFile(fields, {info[0]: self._tensor(*info, start) for info in infos})

    def _unpack(self, form: str) -> tuple[Any, ...]:
        form = "<" + form
        found = struct.unpack_from(form, self._view, self._at)
        self._at += struct.calcsize(form)
        return found

    def _string(self) -> str:
        (size,) = self._unpack("Q")
        if self._at + size > len(self._view):
            raise struct.error(f"a text of {size} bytes reaches past its end")
        self._at += size
        return bytes(self._view[self._at - size : self._at]).decode(errors="replace")

    def _field(self) -> tuple[str, Value]:
        name, (kind,) = self._string(), self._unpack("I")
        if kind != ARRAY:
            return name, Value(kind, self._scalar(kind))
        item, count = self._unpack("IQ")
        if item == STRING:
            return name, Value(kind, [self._string() for _ in range(count)], item)
        if count > len(self._view):
            raise struct.error(f"'{name}' would have {count} entries")
        return name, Value(kind, list(self._unpack(f"{count}{_code(item)}")), item)

    def _scalar(self, kind: int) -> Any:
        return self._string() if kind == STRING else self._unpack(_code(kind))[0]

    def _info(self) -> tuple[str, tuple[int, ...], int, int]:
        name, (dimensions,) = self._string(), self._unpack("I")
        if dimensions > MOST_DIMENSIONS:
            raise struct.error(f"tensor '{name}' has {dimensions} dimensions")
        shape = self._unpack(f"{dimensions}Q")
        kind, offset = self._unpack("IQ")
        return name, tuple(reversed(shape)), kind, offset

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int, offset: int, start: int) -> StoredTensor:
        if kind not in BLOCKS:
            raise DataError(f"{self._name}: tensor '{name}' has type {kind}, which is not known here")
        quantisation = Quantisation(kind)
        begin, size = start + offset, stored_bytes(shape, quantisation, name=name)
        if begin + size > len(self._data):
            raise struct.error(f"it is cut short: tensor '{name}' ends at byte {begin + size:,} of {len(self._data):,}")
        return StoredTensor(shape, quantisation, self._data[begin : begin + size])


def _code(kind: int) -> str:
    if kind not in SCALARS:
        raise struct.error(f"a field has type {kind}")
    return SCALARS[kind]


def write_file(path: Path, file: GgufFile, /) -> None:
    """Writes the file; equal content gives equal bytes."""
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(file.tensors), len(file.fields))]
    parts += [_packed(name, value) for name, value in file.fields.items() if name != "general.alignment"]
    offset = 0
    for name, tensor in file.tensors.items():
        sizes = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
        parts.append(_text(name) + sizes + struct.pack("<IQ", tensor.quantisation, offset))
        offset += len(tensor.data) + _gap(len(tensor.data))
    header = b"".join(parts)
    with path.open("wb") as out:
        out.write(header + bytes(_gap(len(header))))
        for tensor in file.tensors.values():
            out.write(tensor.data.data)
            out.write(bytes(_gap(len(tensor.data))))


def _gap(size: int) -> int:
    return -size % ALIGNMENT


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _packed(name: str, value: Value) -> bytes:
    return _text(name) + struct.pack("<I", value.kind) + b"".join(_content(value))


def _content(value: Value) -> Iterator[bytes]:
    if value.item is None:
        yield _text(value.content) if value.kind == STRING else struct.pack("<" + _code(value.kind), value.content)
        return
    yield struct.pack("<IQ", value.item, len(value.content))
    if value.item == STRING:
        yield from map(_text, value.content)
    else:
        yield struct.pack(f"<{len(value.content)}{_code(value.item)}", *value.content)
