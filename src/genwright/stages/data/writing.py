"""The Parquet files of a dataset, written in batches; the same rows give the same bytes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TEXTS = ("id", "text", "group", "source", "licence")
DOCUMENT = pa.schema([*((name, pa.string()) for name in _TEXTS), ("bytes", pa.int64())])
DROPPED = pa.schema([*DOCUMENT, *((name, pa.string()) for name in ("reason", "step", "detail"))])
_ROW_GROUP_BYTES = 4 << 20


class TableWriter:
    """Appends rows to a Parquet file, a row group each time some megabytes of text have gathered."""

    def __init__(self, path: Path, /, *, schema: pa.Schema, compression: str) -> None:
        self._schema = schema
        self._file = pq.ParquetWriter(path, schema, compression=compression, use_dictionary=["source", "licence"])
        self._rows: list[dict[str, Any]] = []
        self._held_bytes = 0
        self.num_rows = 0

    def add(self, row: dict[str, Any], /) -> None:
        """Appends one row; `bytes` is counted here."""
        row["bytes"] = len(row["text"].encode())
        self._rows.append(row)
        self._held_bytes += row["bytes"]
        self.num_rows += 1
        if self._held_bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Writes what is held and the footer."""
        self._flush()
        self._file.close()

    def abandon(self) -> None:
        """Closes the file without what is held: after a full disk another write would only hide the first error."""
        self._rows = []
        with suppress(OSError):
            self._file.close()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows, self._held_bytes = [], 0


@contextmanager
def table_writer(path: Path, /, *, schema: pa.Schema, compression: str = "zstd") -> Iterator[TableWriter]:
    """A writer whose file is whole at the end of the block; after an error it is closed as it is."""
    writer = TableWriter(path, schema=schema, compression=compression)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise
    writer.close()
