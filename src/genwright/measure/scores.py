"""Scores tables: columns of per-unit numbers, stored as one canonical JSON file, with arrays beside it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genwright.core import DataError
from genwright.core.digest import canonical_json
from genwright.measure.arrays import Floats32, write_arrays

Cell = str | int | float | bool | None
Columns = Mapping[str, Sequence[Cell]]

FILE = "scores.json"


def write_scores(folder: Path, columns: Columns, arrays: Mapping[str, Floats32] | None = None) -> None:
    """Writes `scores.json`; what `read_scores` gives back is equal, floats to the last bit. None means missing.

    `arrays` (float32, shape [rows, d] each) are written beside it; `read_arrays` gives them back. Row i of an array
    belongs to row i of the table; a row without features holds zeros there and None in the column that says its side.

    Raises:
        DataError: columns differ in length, a cell is infinite, NaN or not a plain scalar, or an array does not fit.
    """
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns of a scores table differ in length: {lengths}")
    for name, cells in columns.items():
        _check_cells(name, cells)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(canonical_json({name: list(cells) for name, cells in columns.items()}))
    write_arrays(folder, arrays or {}, num_rows=next(iter(lengths.values()), 0))


def read_scores(folder: Path, /) -> dict[str, list[Any]]:
    """The columns of the table in `folder`, by name.

    Raises:
        DataError: the file is missing or is not a scores table.
    """
    path = folder / FILE
    try:
        columns = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a scores table: {error}") from error
    if not isinstance(columns, dict) or len({len(cells) for cells in columns.values()}) > 1:
        raise DataError(f"{path} is not a scores table: it must map column names to lists of one length")
    return columns


def _check_cells(name: str, cells: Sequence[Cell]) -> None:
    for row, cell in enumerate(cells):
        if cell is not None and not isinstance(cell, str | int | float):
            raise DataError(
                f"column '{name}', row {row}: {cell!r} is a {type(cell).__name__}; "
                "a cell is str, int, float, bool or None (convert NumPy scalars with .item())"
            )
        if isinstance(cell, float) and not math.isfinite(cell):
            raise DataError(f"column '{name}', row {row} is {cell}; a score is finite, or None where it is missing")
