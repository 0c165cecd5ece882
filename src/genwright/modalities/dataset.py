"""Reading a dataset artifact: one Parquet file per split."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import DataError

SPLITS = ("train", "validation", "test")
TAKEN = ("id", "group", "source", "licence", "split")  # what the dataset itself calls its columns
_BATCH_DOCUMENTS = 32
_BATCH_ROWS = 2048


def read_split(folder: Path, *, split: str, columns: Sequence[str] = ("id", "text")) -> Iterator[dict[str, Any]]:
    """The documents of a split in their order, a batch in memory at a time.

    Raises:
        DataError: the folder has no such split, or the file is corrupt.
    """
    with _opened(folder, split) as parquet:
        for batch in parquet.iter_batches(batch_size=_BATCH_DOCUMENTS, columns=list(columns)):
            yield from batch.to_pylist()


def read_texts(folder: Path, *, split: str) -> Iterator[str]:
    """The texts of a split, as `read_split` streams them."""
    return (row["text"] for row in read_split(folder, split=split, columns=("text",)))


def num_rows(folder: Path, *, split: str) -> int:
    """How many documents, or other samples, a split has."""
    with _opened(folder, split) as parquet:
        return int(parquet.metadata.num_rows)


def read_tables(folder: Path, *, split: str) -> Iterator[pa.Table]:
    """The samples of a split in their order, as tables: `id`, `group` and the columns of the sample."""
    with _opened(folder, split) as parquet:
        columns = [name for name in parquet.schema_arrow.names if name not in ("source", "licence")]
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            yield pa.Table.from_batches([batch])


def read_rows(folder: Path, *, split: str, most: int | None = None) -> pa.Table:
    """The first `most` samples of a split (all where it is None) as one table."""
    taken: list[pa.Table] = []
    held = 0
    with _opened(folder, split) as parquet:
        schema = parquet.schema_arrow
    for table in read_tables(folder, split=split):
        if most is not None and held >= most:
            break
        taken.append(table if most is None else table.slice(0, most - held))
        held += len(taken[-1])
    names = [name for name in schema.names if name not in ("source", "licence")]
    return pa.concat_tables(taken) if taken else schema.empty_table().select(names)


@contextmanager
def _opened(folder: Path, split: str) -> Iterator[pq.ParquetFile]:
    path = folder / f"{split}.parquet"
    try:
        # Buffering ahead keeps all that was read until the file is closed (pyarrow 26).
        with pq.ParquetFile(path, pre_buffer=False) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read as a split of a dataset ({error})",
            hint="genwright verify; or run the data stage again",
        ) from None
