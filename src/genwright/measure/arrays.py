"""Arrays beside a scores table (features, embeddings): one `.npy` file each, row i for row i of the table."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError

Floats32 = NDArray[np.float32]
Arrays = Callable[[str], Floats32]

FOLDER = "arrays"
NAME = re.compile(r"[a-z][a-z0-9_]*")


def write_arrays(folder: Path, arrays: Mapping[str, Floats32], /, *, num_rows: int) -> None:
    """Writes `arrays/NAME.npy` for each: little-endian float32 in C order, the same bytes for the same numbers.

    Raises:
        DataError: a name is not lower-case letters, digits and underscores; an array is not float32 of two dimensions
            and `num_rows` rows, or holds what is not finite.
    """
    for name, array in arrays.items():
        if not NAME.fullmatch(name):
            raise DataError(f"array name {name!r}: use lower-case letters, digits and underscores")
        _check(array, f"array '{name}'")
        if len(array) != num_rows:
            raise DataError(f"array '{name}' has {len(array)} rows, but the scores table beside it has {num_rows}")
    for name, array in arrays.items():
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        np.save(folder / FOLDER / f"{name}.npy", np.ascontiguousarray(array, dtype="<f4"), allow_pickle=False)


def read_arrays(folder: Path, name: str) -> Floats32:
    """The array `name` beside the scores table in `folder`, shape [n, d]; nothing is unpickled.

    Raises:
        DataError: the file is missing, is cut short, or is not such an array.
    """
    path = folder / FOLDER / f"{name}.npy"
    if not NAME.fullmatch(name) or not path.is_file():
        there = ", ".join(sorted(found.stem for found in (folder / FOLDER).glob("*.npy"))) or "none"
        raise DataError(f"no array '{name}' beside the scores in {folder}; arrays there: {there}")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an array: {error}") from error
    _check(array, str(path))
    return np.asarray(array, dtype=np.float32)


def _check(array: object, name: str) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 2:
        shape = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise DataError(f"{name} is {shape}; it must be float32 of shape [rows, columns]")
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(wrong):
        raise DataError(f"{name}, row {wrong[0]} holds a number that is not finite")
