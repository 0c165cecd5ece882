"""A grid of pictures, and pictures as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import csv

from genwright.modalities.image.pixels import IMAGE, pixels_of

MOST = 64
ACROSS = 8
GAP = 2
SHORTEST = 56


def draw_grid(rows: pa.Table, path: Path, /) -> Path:
    """Writes the first 64 pictures, eight in a row, as one PNG; small ones are enlarged by a whole factor."""
    values = pixels_of(rows.slice(0, MOST))
    count, channels, height, width = values.shape
    factor = max(1, -(-SHORTEST // max(height, 1)))
    values = values.repeat(factor, axis=2).repeat(factor, axis=3)
    height, width = height * factor + GAP, width * factor + GAP
    down = max(1, -(-count // ACROSS))
    sheet = np.full((channels, down * height, min(max(count, 1), ACROSS) * width), 255, dtype=np.uint8)
    for at, one in enumerate(values):
        top, left = (at // ACROSS) * height, (at % ACROSS) * width
        sheet[:, top : top + height - GAP, left : left + width - GAP] = one
    target = path.with_suffix(".png")
    Image.fromarray(sheet[0] if channels == 1 else np.moveaxis(sheet, 0, -1)).save(target, "PNG")
    return target


def write_files(rows: pa.Table, folder: Path, /) -> list[Path]:
    """Writes `00000.png` and so on, and `captions.csv` with their names and the other columns."""
    names = [f"{at:05d}.png" for at in range(len(rows))]
    for name, body in zip(names, rows.column(IMAGE).to_pylist(), strict=True):
        (folder / name).write_bytes(body)
    others = {name: rows.column(name) for name in rows.column_names if name != IMAGE}
    csv.write_csv(pa.table({"file": pa.array(names, pa.string()), **others}), folder / "captions.csv")
    return [*(folder / name for name in names), folder / "captions.csv"]
