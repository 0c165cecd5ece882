"""Tables: files, validity, distance, preview; `metrics` measures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from genwright.core import DataError
from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.table.config import TableMetricsConfig, TableSourceConfig
from genwright.modalities.table.matrix import RESERVED, columns_of, distances, numbers_of
from genwright.modalities.table.metrics import measure
from genwright.modalities.text.sources import SourceFile, list_files

PREVIEW_COLUMNS = 16
BARS = 16


class TableModality:
    """Rows of mixed columns: whole numbers, numbers, and categories (whatever else there is, as text)."""

    name = "table"
    suffix = "csv"

    def read(self, source: TableSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """One table per file.

        Raises:
            DataError: a file cannot be read as a table, or lacks a column that the source names.
        """
        for file in list_files(source, root=root):  # type: ignore[arg-type]  # the fields that it reads are there
            table = _plain(_read_file(file, source))
            groups = _groups(table, file, source)
            wanted = [name for name in source.columns or table.column_names if name != source.group_column]
            for name in wanted:
                if name not in table.column_names:
                    raise DataError(
                        f"{file.path} has no column '{name}' (it has: {', '.join(table.column_names)})",
                        hint="correct data.sources columns",
                    )
            ids = [f"{file.name}:{row + 1}" for row in range(len(table))]
            facts = {"id": pa.array(ids), "group": pa.array(groups or ids)}
            named = {f"{name}_" if name in RESERVED else name: table.column(name) for name in wanted}
            yield pa.table({**facts, **named})

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A row is legal where it holds no infinite number and is not empty."""
        table = columns_of(rows)
        infinite = np.zeros(len(table), dtype=np.bool_)
        empty = np.ones(len(table), dtype=np.bool_)
        for column in table.columns:
            empty &= column.is_null().to_numpy()
            if pa.types.is_floating(column.type):
                infinite |= np.isinf(column.to_numpy())
        pairs = zip(infinite.tolist(), empty.tolist(), strict=True)
        return ["not-finite" if wild else "empty" if bare else None for wild, bare in pairs]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The cells, as JSON."""
        table = columns_of(rows)
        return [json.dumps(list(row.values()), default=str).encode() for row in table.to_pylist()]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Numbers by the deviation of `reference`, categories 0 or 1, a missing cell as a value of its own."""
        return distances(rows, reference)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: TableMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.table.metrics`."""
        return measure(candidates, train=train, test=test, config=config, seed=seed)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """A histogram of each of the first columns, as SVG."""
        table = columns_of(rows)
        names = table.column_names[:PREVIEW_COLUMNS]
        parts = [_bars(name, table.column(name), place) for place, name in enumerate(names)]
        target = path.with_suffix(".svg")
        size = f"0 0 840 {120 * -(-len(names) // 4) + 10}"
        body = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-size="11">{"".join(parts)}</svg>\n'
        target.write_text(body, encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """`samples.csv`, and `samples.parquet` with the types."""
        csv.write_csv(rows, folder / "samples.csv")
        pq.write_table(rows, folder / "samples.parquet")
        return (folder / "samples.csv", folder / "samples.parquet")


def _read_file(file: SourceFile, source: TableSourceConfig) -> pa.Table:
    try:
        if file.path.suffix == ".parquet":
            return pq.read_table(file.path)
        return csv.read_csv(
            file.path,
            parse_options=csv.ParseOptions(delimiter=source.delimiter),
            convert_options=csv.ConvertOptions(null_values=list(source.missing), strings_can_be_null=True),
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{file.path} cannot be read as a table ({error})",
            hint="a CSV file has a line of names and equally many cells in every line; look at data.sources delimiter",
        ) from None


def _plain(table: pa.Table) -> pa.Table:
    """Whole numbers, numbers and texts; NaN is missing."""
    out = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_integer(column.type):
            out[name] = column.cast(pa.int64())
        elif pa.types.is_floating(column.type):
            cells = column.cast(pa.float64()).to_numpy()
            out[name] = pa.chunked_array([pa.array(cells, mask=np.isnan(cells))])
        else:
            out[name] = column.cast(pa.string())
    return pa.table(out)


def _groups(table: pa.Table, file: SourceFile, source: TableSourceConfig) -> list[str] | None:
    if source.group_column is None:
        return None
    if source.group_column not in table.column_names:
        raise DataError(f"{file.path} has no column '{source.group_column}'", hint="correct data.sources group_column")
    return [str(value) for value in table.column(source.group_column).to_pylist()]


def _bars(name: str, column: pa.ChunkedArray, place: int) -> str:
    cells = column.drop_null()
    if pa.types.is_string(cells.type):
        counts = sorted((int(one["counts"]) for one in cells.value_counts().to_pylist()), reverse=True)[:BARS]
    else:
        numbers = numbers_of(cells)
        counts = np.histogram(numbers, bins=BARS)[0].tolist() if len(numbers) else []
    left, top = 210 * (place % 4) + 5, 120 * (place // 4) + 5
    highest = max([*counts, 1])
    bars = "".join(
        f'<rect x="{left + at * 12}" y="{top + 95 - 75 * count / highest:.1f}" '
        f'width="11" height="{75 * count / highest:.1f}"/>'
        for at, count in enumerate(counts)
    )
    return f'<text x="{left}" y="{top + 12}">{escape(name)}</text>{bars}'
