"""Files to tables with typed columns, `id` and `group` in front."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute as pc
from pyarrow import csv

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.dataset import TAKEN
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.table.config import TableSourceConfig
from genwright.modalities.table.rules import Rules

ROWS_AT_ONCE = 1 << 16
DELIMITERS = (";", "\t", "|", ",")
MOST_NAMES_BYTES = 1 << 20
AS_UTF8 = "write the file as UTF-8 (iconv -f LATIN1 -t UTF-8, where it is in Latin-1)"


def read_tables(source: TableSourceConfig, /, *, root: Path) -> Iterator[pa.Table | Unreadable]:
    """Tables of at most 65,536 rows. Types are inferred over the first whole file, and those of the others follow it.

    Whole numbers, numbers, dates, points in time, times of day, truth values; all else is text. NaN is missing. A
    column whose name the dataset needs gets an underscore. Parquet is read so many rows at a time; a CSV file is held
    in memory, because its last row can change a type.

    Raises:
        DataError: a file cannot be read as a table, or lacks a column that the source names.
    """
    types: dict[str, pa.DataType] = {}
    for file in list_files(source, root=root):
        first = 0
        try:
            for part in _parts(file, source):
                table = _alike(_plain(_dated(part, file, source, first=first), file), types, file)
                types = types or dict(zip(table.column_names, table.schema.types, strict=True))
                yield _named(table, file, source, first=first)
                first += len(table)
            if not first:
                raise DataError(f"{file.path} has a line of names and no row")
        except DataError as error:
            if source.on_error == "fail":
                raise
            yield Unreadable(file.name, "unreadable", error.message)


def _parts(file: SourceFile, source: TableSourceConfig) -> Iterator[pa.Table]:
    suffix = file.path.suffix.lower()
    form = ("parquet" if suffix in (".parquet", ".pq") else "csv") if source.format == "auto" else source.format
    delimiter = source.delimiter or ("\t" if suffix == ".tsv" else ",")
    try:
        if form == "parquet":
            with pq.ParquetFile(file.path, pre_buffer=False) as parquet:
                for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE):
                    yield pa.Table.from_batches([batch])
            return
        if source.delimiter is None:
            _refuse_other_delimiter(file.path, delimiter)
        table = _csv(file.path, delimiter=delimiter, missing=source.missing)
        _refuse_names(table, file)
        yield from (table.slice(at, ROWS_AT_ONCE) for at in range(0, len(table), ROWS_AT_ONCE))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{file.path} cannot be read as a table ({error})",
            hint="a CSV file has a line of names and equally many cells in every line; look at data.sources delimiter",
        ) from None


def _dated(table: pa.Table, file: SourceFile, source: TableSourceConfig, *, first: int) -> pa.Table:
    """The table with the columns of `dates` read as they are written."""
    for name, written in source.dates.items():
        _refuse_unknown(name, table, file, hint="correct dates of data.sources")
        texts = table.column(name).cast(pa.string())
        times = pc.strptime(texts, format=written, unit="us", error_is_null=True)
        wrong = pc.and_(times.is_null(), texts.is_valid())
        if (row := pc.index(wrong, True).as_py()) >= 0:
            raise DataError(
                f"row {first + row + 1} of {file.path} has {texts[row].as_py()!r} in column '{name}', "
                f"which is not written as {written!r}",
                hint="correct dates of data.sources, or list what stands for a missing cell in missing",
            )
        whole_days = not set("HIMSTRcpXs") & {written[at + 1 : at + 2] for at, c in enumerate(written) if c == "%"}
        times = times.cast(pa.date32()) if whole_days else times
        table = table.set_column(table.column_names.index(name), name, times)
    return table


def _refuse_unknown(name: str, table: pa.Table, file: SourceFile, *, hint: str) -> None:
    if name not in table.column_names:
        raise DataError(f"{file.path} has no column '{name}' (it has: {', '.join(table.column_names)})", hint=hint)


def _refuse_other_delimiter(path: Path, delimiter: str) -> None:
    """Says which delimiter it seems to be where the line of names has none of the usual one, and another."""
    with pa.input_stream(str(path)) as stream:
        names = stream.read(MOST_NAMES_BYTES).split(b"\n", 1)[0].decode(errors="replace")
    found = max(DELIMITERS, key=names.count)
    if delimiter not in names and found in names:
        raise DataError(
            f"{path} has one column, {names.strip()[:80]!r}, where cells end at {delimiter!r}; "
            f"they seem to end at {found!r}",
            hint=f"set data.sources delimiter = {json.dumps(found)} (or {json.dumps(delimiter)}, if it is one column)",
        )


def _csv(path: Path, /, *, delimiter: str, missing: Sequence[str]) -> pa.Table:
    """The file as a table.

    Raises:
        pa.ArrowException: it is none; of lines of unequal length the error names the first.
    """
    parse = csv.ParseOptions(delimiter=delimiter)
    convert = csv.ConvertOptions(null_values=list(missing), strings_can_be_null=True)
    try:
        return csv.read_csv(path, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid:
        # Threads lose count of the lines: read again with one, to say which.
        one = csv.ReadOptions(use_threads=False)
        return csv.read_csv(path, read_options=one, parse_options=parse, convert_options=convert)


def _plain(table: pa.Table, file: SourceFile) -> pa.Table:
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{file.path} has two columns '{twice}'", hint="rename one")
    return pa.table({name: _column(name, table.column(name), file) for name in names})


def _refuse_names(table: pa.Table, file: SourceFile) -> None:
    """Says that the line of names is no text; Arrow decodes it only when it is asked for."""
    try:
        assert table.column_names
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.path}, line 1: the names of columns are not UTF-8 ({error.object[:40]!r})", hint=AS_UTF8
        ) from None


def _column(name: str, cells: pa.ChunkedArray, file: SourceFile) -> pa.ChunkedArray:
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return _column(name, cells.cast(kind.value_type), file)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = cells.cast(pa.float64()).to_numpy()
        return pa.chunked_array([pa.array(numbers, mask=np.isnan(numbers))])
    if pa.types.is_binary(kind):
        _refuse_bytes(name, cells, file)
    wanted = pa.string()
    if pa.types.is_boolean(kind):
        wanted = kind
    elif pa.types.is_integer(kind):
        wanted = pa.int64()
    elif pa.types.is_date(kind):
        wanted = pa.date32()
    elif pa.types.is_timestamp(kind):
        wanted = pa.timestamp("us")
    elif pa.types.is_time(kind):
        wanted = pa.time64("us")
    try:
        return cells.cast(wanted, safe=not pa.types.is_timestamp(kind))
    except pa.ArrowException:
        raise DataError(
            f"column '{name}' of {file.path} is of type {kind}: no number, date, time, truth value or text",
            hint="leave it out with data.sources drop",
        ) from None


def _refuse_bytes(name: str, cells: pa.ChunkedArray, file: SourceFile) -> None:
    """Says which cell is no text; a column of bytes that all are UTF-8 goes on as text."""
    for row, cell in enumerate(cells.to_pylist(), start=1):
        try:
            (cell or b"").decode()
        except UnicodeDecodeError:
            raise DataError(
                f"column '{name}' of {file.path}, row {row}: {cell[:40]!r} is not UTF-8",
                hint=f"{AS_UTF8}, or drop the column",
            ) from None


def _alike(table: pa.Table, types: dict[str, pa.DataType], file: SourceFile) -> pa.Table:
    """The table with the columns and types of the first file."""
    if not types:
        return table
    if set(types) != set(table.column_names):
        name = min(set(types) ^ set(table.column_names))
        raise DataError(f"{file.path} and the files before it do not have the same columns ('{name}')")
    out = {}
    for name, kind in types.items():
        try:
            out[name] = table.column(name).cast(kind)
        except pa.ArrowException as error:
            raise DataError(
                f"column '{name}' of {file.path} is not of type {kind} as in the first file ({error})",
                hint="write the column alike in all files, or put the file with the widest type first",
            ) from None
    return pa.table(out)


def _named(table: pa.Table, file: SourceFile, source: TableSourceConfig, *, first: int) -> pa.Table:
    apart = {name for name in (source.id_column, source.group_column) if name}
    for name in (*source.columns, *source.drop, *sorted(apart)):
        _refuse_unknown(name, table, file, hint="correct columns, drop, id_column or group_column of data.sources")
    kept = [name for name in source.columns or table.column_names if name not in apart and name not in source.drop]
    if not kept:
        raise DataError(f"{file.path} has no column left", hint="correct columns and drop of data.sources")
    rows = [f"{file.name}:{row + 1}" for row in range(first, first + len(table))]
    ids = _texts(table, source.id_column) or rows
    facts = {"id": pa.array(ids), "group": pa.array(_texts(table, source.group_column) or ids)}
    ordered, together = (
        tuple(tuple(map(_own_name, group)) for group in groups) for groups in (source.ordered, source.together)
    )
    rules = Rules(ordered, together, tuple(map(_own_name, source.keys)))
    named = pa.table({**facts, **{_own_name(name): table.column(name) for name in kept}})
    rules.check(named, where=str(file.path))
    return rules.attach(named)


def _own_name(name: str) -> str:
    return f"{name}_" if name in TAKEN else name


def _texts(table: pa.Table, name: str | None) -> list[str] | None:
    return None if name is None else [str(value) for value in table.column(name).to_pylist()]
