"""PNG and JPEG files, with labels from their folders and columns from a CSV beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import csv

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.shot import Shot, or_unreadable

SUFFIXES = (".png", ".jpg", ".jpeg")
FILE = "file"


def read_folder(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per picture. Where there is a file called `captions`, it must name every picture that is read.

    Raises:
        DataError: a picture cannot be read, or a CSV file does not say of a picture what it says of others.
    """
    told, names = captions_of(files, source)
    for file in files:
        if not file.name.lower().endswith(SUFFIXES):
            continue

        def read(file: SourceFile = file) -> Shot:
            others = others_of(file, source, told, names)
            return Shot(file.name, file.name, frame.opened(file.path.read_bytes(), name=str(file.path)), others)

        yield from or_unreadable(file.name, source, read)


def others_of(
    file: SourceFile, source: ImageSourceConfig, told: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    """The columns that go along with the picture of a file.

    Raises:
        DataError: other pictures have columns that this one has not.
    """
    if names and file.name not in told:
        raise DataError(
            f"{file.path} is not named in {source.captions}",
            hint="add a line for it, exclude it, or set on_error = 'drop'",
        )
    own = {name: told[file.name][name] for name in names}
    if source.labels == "folder":
        own["label"] = PurePosixPath(file.name).parent.name
    return own


def captions_of(
    files: Sequence[SourceFile], source: ImageSourceConfig
) -> tuple[dict[str, Mapping[str, Any]], tuple[str, ...]]:
    """The other columns of each picture by its name, and what they are called.

    Raises:
        DataError: a file of captions is no CSV with a column `file`.
    """
    told: dict[str, Mapping[str, Any]] = {}
    names: tuple[str, ...] = ()
    for file in files:
        path = PurePosixPath(file.name)
        if path.name != source.captions:
            continue
        table = _table(file)
        names = tuple(name for name in table.column_names if name != FILE)
        for row in table.to_pylist():
            told[(path.parent / str(row[FILE])).as_posix()] = {name: row.get(name) for name in names}
    return told, names


def _table(file: SourceFile) -> pa.Table:
    try:
        table = csv.read_csv(file.path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{file.path} cannot be read as CSV ({error})", hint="a line of names, then one a picture"
        ) from None
    if FILE not in table.column_names:
        raise DataError(
            f"{file.path} has no column '{FILE}' (it has: {', '.join(table.column_names)})",
            hint="name each picture there, as a path below the folder of this CSV file",
        )
    return table
