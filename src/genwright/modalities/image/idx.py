"""Pictures as bare numbers: IDX files and CSV lines.

Source: the IDX format is described at the end of LeCun, Cortes & Burges, "The MNIST database".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.parquet import class_name
from genwright.modalities.image.shot import Shot

MOST_BYTES = 2 << 30
_UNSIGNED_BYTE = 8


def read_idx(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per picture of each file of three dimensions; its label is from the file named alike with `labels-idx1`.

    Raises:
        DataError: a file is no IDX file of bytes, or the labels are not as many.
    """
    by_name = {file.name: file for file in files}
    pictures = [file for file in files if "idx3-ubyte" in file.name]
    if not pictures:
        raise DataError(f"source '{source.path}' has no file with 'idx3-ubyte' in its name")
    for file in pictures:
        values = _idx(file.path, dimensions=3)
        beside = by_name.get(file.name.replace("images-idx3", "labels-idx1"))
        labels = None if beside is None or beside is file else _idx(beside.path, dimensions=1)
        if labels is not None and len(labels) != len(values):
            raise DataError(f"{file.path} has {len(values):,} pictures, and there are {len(labels):,} labels beside it")
        yield from _shots(file.name, values, labels, source, frame)


def read_csv(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per line: levels from 0 to 255, row after row, then the label where one is left over.

    Raises:
        DataError: a file holds other than whole numbers, or its lines make no picture of `size`.
    """
    for file in files:
        table = _lines(file)
        cells = np.stack([table.column(at).to_numpy() for at in range(table.num_columns)], axis=1)
        height, width, labelled = _sides(cells.shape[1], file, source)
        pixels = cells[:, : height * width]
        if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 255:
            raise DataError(f"{file.path} holds a level that is not between 0 and 255")
        labels = cells[:, -1] if labelled else None
        yield from _shots(file.name, pixels.reshape(-1, height, width).astype(np.uint8), labels, source, frame)


def _shots(
    name: str,
    values: NDArray[np.uint8],
    labels: NDArray[np.int64] | NDArray[np.uint8] | None,
    source: ImageSourceConfig,
    frame: Frame,
) -> Iterator[Shot]:
    for at, one in enumerate(values):
        own = f"{name}:{at + 1}"
        others = {} if labels is None else {"label": class_name(int(labels[at]), source)}
        yield Shot(own, own, frame.of_array(one, name=own), others)


def _idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, packed with gzip or not."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            zero, kind, depth = struct.unpack(">HBB", file.read(4))
            if zero or kind != _UNSIGNED_BYTE or depth != dimensions:
                raise DataError(f"{path} is no IDX file of unsigned bytes in {dimensions} dimensions")
            sizes = struct.unpack(f">{depth}I", file.read(4 * depth))
            total = math.prod(sizes)
            body = file.read(total + 1) if total <= MOST_BYTES else b""
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path} cannot be read as IDX ({error})") from None
    if len(body) != total:
        raise DataError(f"{path} says it holds {total:,} bytes and does not", hint="fetch it again")
    return np.frombuffer(body, dtype=np.uint8).reshape(sizes)


def _lines(file: SourceFile) -> pa.Table:
    try:
        table = csv.read_csv(file.path, read_options=csv.ReadOptions(autogenerate_column_names=True))
        return table.cast(pa.schema([(name, pa.int64()) for name in table.column_names]))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{file.path} cannot be read as lines of levels ({error})") from None


def _sides(count: int, file: SourceFile, source: ImageSourceConfig) -> tuple[int, int, bool]:
    """Height and width, and whether the last cell of a line is a label."""
    sizes = [source.size] if source.size is not None else [math.isqrt(count), math.isqrt(count - 1)]
    for size in sizes:
        height, width = (size, size) if isinstance(size, int) else size
        if height * width in (count, count - 1):
            return height, width, height * width == count - 1
    raise DataError(
        f"{file.path} has {count} cells in a line, which is no square picture with or without a label",
        hint="set size = [height, width] of this source",
    )
