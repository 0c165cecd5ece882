"""Parquet with a column of picture bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.shot import Shot, or_unreadable

ROWS_AT_ONCE = 256


def read_parquet(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per row. Pictures are PNG or JPEG bytes, or a struct with a field `bytes`, as `datasets` writes it.

    Raises:
        DataError: the file is none, lacks a column, or a picture cannot be read.
    """
    for file in files:
        try:
            yield from _rows(file, source, frame)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file.path} cannot be read as Parquet ({error})") from None


def _rows(file: SourceFile, source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    with pq.ParquetFile(file.path, pre_buffer=False) as parquet:
        names = _plain_columns(parquet.schema_arrow, file, source)
        at = 0
        for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                at += 1
                name = f"{file.name}:{at}"

                def read(row: dict[str, Any] = row, name: str = name) -> Shot:
                    group = name if source.group_column is None else str(row[source.group_column])
                    others = {column: row[column] for column in names}
                    if source.classes and isinstance(others.get("label"), int):
                        others["label"] = class_name(others["label"], source)
                    return Shot(name, group, frame.opened(_body(row[source.image_column]), name=name), others)

                yield from or_unreadable(name, source, read)


def _plain_columns(schema: pa.Schema, file: SourceFile, source: ImageSourceConfig) -> list[str]:
    for name in (source.image_column, source.group_column):
        if name is not None and name not in schema.names:
            raise DataError(
                f"{file.path} has no column '{name}' (it has: {', '.join(schema.names)})",
                hint="correct image_column or group_column of this source",
            )
    apart = (source.image_column, source.group_column)
    return [one.name for one in schema if one.name not in apart and _is_plain(one.type)]


def _is_plain(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return any(test(kind) for test in tests)


def _body(cell: Any) -> bytes:
    body = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(body, bytes):
        raise DataError("the cell holds no bytes of a picture", hint="name the column of pictures with image_column")
    return body


def class_name(number: int, source: ImageSourceConfig, /) -> str:
    """The name of a numbered class; the number itself where `classes` is empty.

    Raises:
        DataError: there is no such class.
    """
    if not source.classes:
        return str(number)
    if not 0 <= number < len(source.classes):
        raise DataError(f"label {number} has no name: classes of this source names {len(source.classes)}")
    return source.classes[number]
