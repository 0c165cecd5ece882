"""Parquet, a batch of rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import DataError
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.readers.fields import record_of
from genwright.modalities.text.records import Record, UnreadableError
from genwright.modalities.text.sources import SourceFile

_BATCH_ROWS = 32


def read_parquet(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """One document per row.

    Raises:
        UnreadableError: the file is corrupt.
        DataError: a column that the source names is not there.
    """
    number = 0
    try:
        with pq.ParquetFile(file.path, pre_buffer=False) as parquet:
            columns = _columns(parquet.schema_arrow, path=file.path, source=source)
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    yield record_of(row, source=source, where=f"{file.path}, row {number}", key=str(number))
                    number += 1
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise UnreadableError(
            f"{file.path} is not a whole Parquet file, row {number}: {first_line}",
            reason="corrupt",
            hint="fetch or write it again, or set on_error = 'drop'",
        ) from None


def _columns(schema: pa.Schema, *, path: Path, source: SourceConfig) -> list[str]:
    wanted = [name for name in (source.text_field, source.id_field, source.group_field) if name]
    for name in wanted:
        if name not in schema.names:
            raise DataError(
                f"{path} has no column '{name}' (columns: {', '.join(schema.names)})",
                hint="set text_field, id_field or group_field of this source",
            )
    return sorted(set(wanted))
