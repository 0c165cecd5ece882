"""Sources to tables of pictures, with `id` and `group` in front."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from genwright.core import DataError, SpecError
from genwright.core.protocols import Unreadable
from genwright.core.registry import load_reference
from genwright.modalities.dataset import TAKEN
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.image.attributes import allowed
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.pixels import IMAGE, pictures_of
from genwright.modalities.image.shot import Shot

ROWS_AT_ONCE = 1024
PICTURES = (".png", ".jpg", ".jpeg")
_SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys(PICTURES, "pictures"),
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ttf": "emoji",
    ".dcm": "dicom",
}
_HERE = "genwright.modalities.image."
_READERS: Mapping[str, tuple[str, str]] = {
    "pictures": (_HERE + "folder:read_folder", "image"),
    "parquet": (_HERE + "parquet:read_parquet", "image"),
    "idx": (_HERE + "idx:read_idx", "image"),
    "csv": (_HERE + "idx:read_csv", "image"),
    "emoji": (_HERE + "emoji:read_emoji", "image"),
    "dicom": (_HERE + "dicom:read_dicom", "dicom"),
}
_TYPES: Mapping[str, pa.DataType] = {"text": pa.string(), "number": pa.float64()}
Reader = Callable[..., Iterator[Shot | Unreadable]]


def read_images(source: ImageSourceConfig, /, *, root: Path) -> Iterator[pa.Table | Unreadable]:
    """Tables of at most 1,024 pictures, in the order of the files.

    Raises:
        SpecError: attributes of DICOM are asked for, and the files are none.
        DataError: a file cannot be read, a picture has another size, or the kind of the files is not known.
        DependencyError: a format needs an extra that is not installed.
    """
    files = list_files(source, root=root)
    kind = _format(source, files)
    if source.dicom_columns and kind != "dicom":
        raise SpecError(f"source '{source.path}' has dicom_columns, but its files are {kind}", hint="leave them out")
    reference, extra = _READERS[kind]
    reader: Reader = load_reference(reference, extra=extra)
    builder = _Builder(source)
    for shot in reader(files, source, Frame(source)):
        if isinstance(shot, Unreadable):
            yield shot
            continue
        builder.add(shot)
        if builder.size == ROWS_AT_ONCE:
            yield builder.table()
    if builder.size:
        yield builder.table()


def _format(source: ImageSourceConfig, files: Sequence[SourceFile]) -> str:
    """The one that is asked for, or that of the first file that tells."""
    if source.format != "auto":
        return source.format
    for file in files:
        name = file.name.lower()
        if "idx3-ubyte" in name or "idx1-ubyte" in name:
            return "idx"
        suffix = Path(name.removesuffix(".gz")).suffix
        if suffix == ".csv" and Path(name).name != source.captions.lower():
            return "csv"
        if suffix in _SUFFIXES:
            return _SUFFIXES[suffix]
    raise DataError(
        f"source '{source.path}' has no file whose name tells what is in it ({files[0].name})",
        hint="set format of this source: pictures, parquet, idx, csv, emoji or dicom",
    )


class _Builder:
    """Rows gathered to tables whose other columns keep the types of the first."""

    def __init__(self, source: ImageSourceConfig) -> None:
        self._source = source
        self._types = {name: _TYPES[allowed()[name]] for name in source.dicom_columns}
        self._held: list[Shot] = []

    @property
    def size(self) -> int:
        return len(self._held)

    def add(self, shot: Shot) -> None:
        self._held.append(shot)

    def table(self) -> pa.Table:
        """What was gathered, which is then forgotten."""
        held, self._held = self._held, []
        columns = {
            "id": pa.array([one.id for one in held], pa.string()),
            "group": pa.array([one.group for one in held], pa.string()),
            IMAGE: pictures_of(one.levels for one in held),
        }
        for name in held[0].others:
            columns[f"{name}_" if name in (*TAKEN, IMAGE) else name] = self._column(
                name, [one.others[name] for one in held]
            )
        if self._source.split is not None:
            columns["split"] = pa.array([self._source.split] * len(held), pa.string())
        return pa.table(columns)

    def _column(self, name: str, values: list[Any]) -> pa.Array:
        try:
            found = pa.array(values, self._types.get(name))
        except pa.ArrowException as error:
            raise DataError(f"column '{name}' of source '{self._source.label}' holds unlike values ({error})") from None
        if pa.types.is_null(found.type):
            found = found.cast(pa.string())
        self._types.setdefault(name, found.type)
        return found
