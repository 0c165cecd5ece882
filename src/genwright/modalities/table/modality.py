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

from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.table.columns import is_category, numbers_of
from genwright.modalities.table.config import TableMetricsConfig, TableSourceConfig
from genwright.modalities.table.matrix import columns_of, distances
from genwright.modalities.table.metrics import measure
from genwright.modalities.table.reading import read_tables
from genwright.modalities.table.rules import Rules
from genwright.modalities.table.utility import subgroups, task_of

PREVIEW_COLUMNS = 16
BARS = 16


class TableModality:
    """Rows of mixed columns: whole numbers, numbers, dates, times, truth values, and texts (whatever else there is)."""

    name = "table"
    suffix = "csv"

    def read(self, source: TableSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """Tables of at most 65,536 rows; see `genwright.modalities.table.reading`.

        Raises:
            DataError: a file cannot be read as a table, or lacks a column that the source names.
        """
        yield from read_tables(source, root=root)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A row is legal where it holds no infinite number, is not empty, and its columns are in the order told."""
        table = columns_of(rows)
        infinite = np.zeros(len(table), dtype=np.bool_)
        empty = np.ones(len(table), dtype=np.bool_)
        for column in table.columns:
            empty &= column.is_null().to_numpy()
            if pa.types.is_floating(column.type):
                infinite |= np.isinf(column.to_numpy())
        found = np.full(len(table), None, dtype=object)
        broken = Rules.of(rows).out_of_order(rows)
        for flags, reason in ((broken, "not-ordered"), (empty, "empty"), (infinite, "not-finite")):
            found[flags] = reason
        return list(found)

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The cells, as JSON."""
        table = columns_of(rows)
        return [json.dumps(list(row.values()), default=str).encode() for row in table.to_pylist()]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Numbers by the deviation of `reference`, categories 0 or 1, a missing cell as a value of its own."""
        return distances(rows, reference)

    def check_metrics(self, config: TableMetricsConfig, *, train: pa.Table, test: pa.Table) -> None:
        """Whether the target and the subgroup can be worked on.

        Raises:
            DataError: one is no column, or has other values than can be worked on.
        """
        task_of(train, config)
        subgroups(test, config.subgroup)

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


def _bars(name: str, column: pa.ChunkedArray, place: int) -> str:
    cells = column.drop_null()
    if is_category(cells):
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
