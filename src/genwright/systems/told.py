"""What a user says of samples: what is known of those to be made, or whole ones to be judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from genwright.core import CapabilityError, DataError, SpecError, modality_component
from genwright.core.protocols import ModelledModality

MISSING = ("", "NA", "NaN")


def known_rows(text: str, /, *, count: int) -> tuple[pa.Table, int]:
    """Partly known samples: a JSON object that holds for `count` of them, or a CSV file with a row for each.

    Raises:
        SpecError: it is neither, or the file cannot be read.
    """
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except ValueError as error:
            raise SpecError(f"what is given is no JSON object: {error}") from None
        return pa.Table.from_pylist([values] * count), count
    try:
        # Of a text, too, an empty cell is one to be filled in.
        rows = csv.read_csv(text, convert_options=csv.ConvertOptions(null_values=MISSING, strings_can_be_null=True))
        names = rows.column_names  # decoded only here
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SpecError(f"{text} cannot be read as CSV ({error})", hint="give a JSON object or a CSV file") from None
    if len(set(names)) < len(names):
        raise SpecError(f"{text} names a column twice: {', '.join(names)}", hint="leave one of them out")
    if not len(rows):
        raise SpecError(f"{text} has no rows below its header", hint="give a row for each sample")
    return rows, len(rows)


def asked_rows(text: str, codec: Any, /, *, count: int) -> tuple[pa.Table, int]:
    """What samples are conditioned on, said as `known_rows` reads it, for a system with that codec.

    Raises:
        SpecError: it is neither a JSON object nor a file that can be read.
        CapabilityError: the system was trained without a condition.
        DataError: it is conditioned on no such column, or knows nothing of what is said.
    """
    conditioner = getattr(codec, "conditioner", None)
    if conditioner is None:
        raise CapabilityError("this system was trained without a condition", hint="set fit.condition, and train")
    rows, count = known_rows(text, count=count)
    conditioner.check_asked(rows)
    return rows, count


def told_rows(texts: Sequence[str], modality: ModelledModality, /) -> pa.Table:
    """Whole samples: those of one file that the modality reads, JSON objects, or texts that each stand for a sample.

    Raises:
        SpecError: the modality has no samples that are texts.
        DataError: a file cannot be read, or a sample is no legal one.
    """
    if len(texts) == 1 and Path(texts[0]).is_file():
        source = modality_component(modality.name).config.parse({"path": str(Path(texts[0]).resolve())}, where="file")
        tables = [part for part in modality.read(source, root=Path()) if isinstance(part, pa.Table)]
        if not tables:
            raise DataError(f"{texts[0]} holds no sample", hint="look at the file")
        rows = pa.concat_tables(tables)
    elif all(text.lstrip().startswith("{") for text in texts):
        rows = pa.concat_tables([known_rows(text, count=1)[0] for text in texts], promote_options="default")
    elif len(texts) > 1 and all(Path(text).is_file() for text in texts):
        raise SpecError(
            f"{len(texts)} files are given, and one is read at a time", hint="give one, or a file that holds all"
        )
    elif hasattr(modality, "parse"):
        rows = modality.parse(texts)
    else:
        raise SpecError(f"'{texts[0]}' is no file and no JSON object", hint="give a file, or '{\"column\": value}'")
    try:
        found = modality.validate(rows)
    except KeyError as error:
        names = ", ".join(rows.column_names)
        raise DataError(f"what is given has only {names}: {error.args[0]}", hint="say that column too") from None
    for at, why in enumerate(found):
        if why is not None:
            shown = texts[at] if len(texts) == len(rows) else f"sample {at + 1}"
            raise DataError(f"'{shown}' is no legal {modality.name}: {why}", hint="correct it, or leave it out")
    return rows


def two_rows(first: str, last: str, modality: ModelledModality, /) -> pa.Table:
    """One whole sample each.

    Raises:
        SpecError: the modality has no samples that are texts.
        DataError: a file cannot be read or holds several samples, or a sample is no legal one.
    """
    tables = [told_rows([text], modality) for text in (first, last)]
    for text, table in zip((first, last), tables, strict=True):
        if len(table) != 1:
            raise DataError(f"{text} holds {len(table):,} samples, and one is needed", hint="give a file with one")
    return pa.concat_tables(tables, promote_options="permissive")
