"""Files to blocks of canonical molecules with `id` and `group` in front; no file is read further than asked for."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from rdkit import Chem

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.molecule.chemistry import parsed, quiet, scaffold
from genwright.modalities.molecule.config import MoleculeSourceConfig
from genwright.modalities.molecule.properties import properties_of

ROWS_AT_ONCE = 2048
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".sdf": "sdf", ".sd": "sdf", ".mol": "sdf",
}  # fmt: skip


@dataclass(frozen=True)
class _Record:
    """One molecule as a file states it; `place` says where, in the file's own counting."""

    place: str
    smiles: str
    name: str | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


def read_molecules(source: MoleculeSourceConfig, /, *, root: Path) -> Iterator[pa.Table | Unreadable]:
    """Tables of at most 2,048 rows with `smiles` and the numbers asked for.

    Raises:
        DataError: a file cannot be read, or, with `on_error = "fail"`, a text in it is no molecule.
    """
    for file in list_files(source, root=root):
        try:
            records = islice(_records(file, source), 0, None, source.every)
            while block := list(islice(records, ROWS_AT_ONCE)):
                yield from _table(block, file, source)
        except (OSError, EOFError, UnicodeDecodeError, pa.ArrowException) as error:
            found = DataError(
                f"{file.path} cannot be read as molecules ({error})",
                hint="look at data.sources format, delimiter and smiles_column",
            )
            if source.on_error == "fail":
                raise found from None
            yield Unreadable(file.name, "unreadable", found.message)


def _table(block: Iterable[_Record], file: SourceFile, source: MoleculeSourceConfig) -> Iterator[pa.Table | Unreadable]:
    """The molecules of a block, after what is none of them."""
    kept: list[tuple[_Record, Chem.Mol]] = []
    for record in block:
        mol = parsed(record.smiles)
        if mol is not None:
            kept.append((record, mol))
        elif source.on_error == "drop":
            yield Unreadable(f"{file.name}:{record.place}", "no-molecule", record.smiles)
        else:
            raise DataError(
                f"{file.path}, {record.place}: '{record.smiles}' is no molecule",
                hint='correct it, or set on_error = "drop" for this source',
            )
    if kept:
        yield _columns(kept, file, source)


def _columns(kept: list[tuple[_Record, Chem.Mol]], file: SourceFile, source: MoleculeSourceConfig) -> pa.Table:
    mols = [mol for _, mol in kept]
    smiles = [str(Chem.MolToSmiles(mol)) for mol in mols]
    groups = smiles
    if source.group == "scaffold":
        # Molecules without a ring have no scaffold; each is a group of its own.
        groups = [scaffold(mol) or text for mol, text in zip(mols, smiles, strict=True)]
    columns: dict[str, Any] = {
        "id": pa.array([record.name or f"{file.name}:{record.place}" for record, _ in kept], pa.string()),
        "group": pa.array(groups, pa.string()),
        "smiles": pa.array(smiles, pa.string()),
    }
    for name in source.columns:
        cells = [_number(record.numbers.get(name), name, record, file) for record, _ in kept]
        columns[name] = pa.array(cells, pa.float64())
    for name, values in properties_of(source.properties, mols).items():
        columns[name] = pa.array(values)
    return pa.table(columns)


def _number(cell: Any, name: str, record: _Record, file: SourceFile) -> float | None:
    if cell is None or cell == "":
        return None
    try:
        found = float(cell)
    except (TypeError, ValueError):
        raise DataError(
            f"{file.path}, {record.place}: column '{name}' holds {cell!r}, which is no number",
            hint="keep only columns of numbers in data.sources columns",
        ) from None
    return None if math.isnan(found) else found


# --- formats -------------------------------------------------------------------------------------------------------


def _records(file: SourceFile, source: MoleculeSourceConfig) -> Iterator[_Record]:
    suffixes = [suffix.lower() for suffix in file.path.suffixes if suffix.lower() != ".gz"]
    form = _FORMATS.get(suffixes[-1] if suffixes else "", "smiles") if source.format == "auto" else source.format
    match form:
        case "csv":
            delimiter = source.delimiter or ("\t" if suffixes and suffixes[-1] == ".tsv" else ",")
            return _csv(file, source, delimiter)
        case "parquet":
            return _parquet(file, source)
        case "sdf":
            return _sdf(file, source)
    return _smiles(file)


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _smiles(file: SourceFile) -> Iterator[_Record]:
    """A molecule, and after a blank perhaps its name, per line; a first line that says SMILES is a header."""
    with _opened(file.path) as lines:
        for number, line in enumerate(lines, start=1):
            text, _, name = line.decode("utf-8").strip().partition("\t" if b"\t" in line else " ")
            if text and not (number == 1 and text.lower() == "smiles"):
                yield _Record(f"line {number}", text, name.strip() or None)


def _csv(file: SourceFile, source: MoleculeSourceConfig, delimiter: str) -> Iterator[_Record]:
    with pa.input_stream(str(file.path), compression="detect") as stream:
        reader = csv.open_csv(stream, parse_options=csv.ParseOptions(delimiter=delimiter))
        yield from _rows(reader, file, source, first=2, what="line")


def _parquet(file: SourceFile, source: MoleculeSourceConfig) -> Iterator[_Record]:
    with pq.ParquetFile(file.path, pre_buffer=False) as parquet:
        names = _wanted(parquet.schema_arrow.names, file, source)
        batches = parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(dict.fromkeys(names)))
        yield from _rows(batches, file, source, first=1, what="row")


def _rows(
    batches: Iterable[pa.RecordBatch], file: SourceFile, source: MoleculeSourceConfig, *, first: int, what: str
) -> Iterator[_Record]:
    number = first
    for batch in batches:
        smiles, *_ = _wanted(batch.schema.names, file, source)
        texts = batch.column(smiles).cast(pa.string()).to_pylist()
        names = None if source.id_column is None else batch.column(source.id_column).to_pylist()
        numbers = {name: batch.column(name).to_pylist() for name in source.columns}
        for row, text in enumerate(texts):
            yield _Record(
                f"{what} {number}",
                text or "",
                None if names is None or names[row] is None else str(names[row]),
                {name: cells[row] for name, cells in numbers.items()},
            )
            number += 1


def _wanted(names: list[str], file: SourceFile, source: MoleculeSourceConfig) -> list[str]:
    """The columns to read, that of the SMILES first."""
    smiles = source.smiles_column or next((name for name in names if name.lower() == "smiles"), "smiles")
    wanted = [smiles, *([source.id_column] if source.id_column else []), *source.columns]
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{file.path} has no column '{name}' (it has: {', '.join(names)})",
                hint="correct smiles_column, id_column or columns of data.sources",
            )
    return wanted


def _sdf(file: SourceFile, source: MoleculeSourceConfig) -> Iterator[_Record]:
    """Molecules as SMILES, with their title as name."""
    with _opened(file.path) as stream, quiet():
        for number, mol in enumerate(Chem.ForwardSDMolSupplier(stream), start=1):
            if mol is None:
                yield _Record(f"molecule {number}", "")
                continue
            title = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
            numbers = {name: mol.GetProp(name) for name in source.columns if mol.HasProp(name)}
            yield _Record(f"molecule {number}", str(Chem.MolToSmiles(mol)), title.strip() or None, numbers)
