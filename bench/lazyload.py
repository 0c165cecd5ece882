"""A data frame out of R's lazy-load files: columns of numbers and factors, and no more of the format than they need.

Source: R Internals, section 1.8 (serialization formats), XDR.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import struct
import zlib
from typing import Any

NOTHING = (254, 253, 242, 241, 251)
SYMBOL, PAIRS, TEXT, LOGICALS, WHOLES, NUMBERS, TEXTS, LISTED, REFERENCE = 1, 2, 9, 10, 13, 14, 16, 19, 255
MISSING = -(2**31)


class Reader:
    """One serialised object; a vector comes as (values, attributes)."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.known = data, 14, list[Any]()
        if struct.unpack(">i", data[2:6])[0] == 3:
            self.at += 4 + self._whole(14)

    def _whole(self, at: int) -> int:
        return int(struct.unpack(">i", self.data[at : at + 4])[0])

    def _next(self) -> int:
        self.at += 4
        return self._whole(self.at - 4)

    def _many(self, code: str, size: int) -> list[Any]:
        count = self._next()
        self.at += count * size
        return list(struct.unpack(f">{count}{code}", self.data[self.at - count * size : self.at]))

    def item(self) -> Any:
        """What comes next."""
        flags = self._next()
        kind, told, tagged = flags & 255, bool(flags & 512), bool(flags & 1024)
        if kind in NOTHING:
            return None
        if kind == REFERENCE:
            return self.known[(flags >> 8 or self._next()) - 1]
        if kind == SYMBOL:
            self.known.append(self.item())
            return self.known[-1]
        if kind == TEXT:
            return self._text()
        if kind == PAIRS:
            return self._pairs(told, tagged)
        values = self._values(kind)
        return values, (self.item() if told else None) or {}

    def _text(self) -> str | None:
        count = self._next()
        self.at += max(count, 0)
        return None if count < 0 else self.data[self.at - count : self.at].decode()

    def _pairs(self, told: bool, tagged: bool) -> dict[Any, Any]:
        if told:
            self.item()
        tag = self.item() if tagged else None
        head = self.item()
        return {tag: head, **(self.item() or {})}

    def _values(self, kind: int) -> list[Any]:
        if kind in (WHOLES, LOGICALS):
            return self._many("i", 4)
        if kind == NUMBERS:
            return self._many("d", 8)
        if kind in (TEXTS, LISTED):
            return [self.item() for _ in range(self._next())]
        raise ValueError(f"R objects of kind {kind} are not read")


def _unpacked(block: bytes) -> bytes:
    if block[4:5] == b"Z":
        return lzma.decompress(block[5:], format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])
    return bz2.decompress(block[5:]) if block[4:5] == b"2" else zlib.decompress(block[4:])


def frame(index: bytes, data: bytes, name: str) -> dict[str, list[Any]]:
    """The columns of the data frame `name` in a pair of .rdx and .rdb files; None where a cell is missing."""
    (variables, *_), _ = Reader(gzip.decompress(index)).item()
    entries, attributes = variables
    (first, size), _ = entries[attributes["names"][0].index(name)]
    columns, attributes = Reader(_unpacked(data[first : first + size])).item()
    return {name: _cells(*column) for name, column in zip(attributes["names"][0], columns, strict=True)}


def _cells(values: list[Any], attributes: dict[str, Any]) -> list[Any]:
    if "levels" in attributes:
        return [None if value == MISSING else attributes["levels"][0][value - 1] for value in values]
    return [None if value in (MISSING, None) or math.isnan(value) else value for value in values]
