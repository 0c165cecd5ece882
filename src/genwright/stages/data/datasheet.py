"""The dataset's sheet in Croissant 1.0 (JSON-LD), from the counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core.digest import file_digest
from genwright.modalities.dataset import SPLITS
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import provenance
from genwright.stages.data.config import DataConfig
from genwright.stages.data.outcome import Row

# Source: Croissant Format Specification 1.0, MLCommons (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).
_CROISSANT = "http://mlcommons.org/croissant/"
_TERMS = (
    "citeAs column conformsTo data examples extract field fileProperty fileObject fileSet format includes "
    "isLiveDataset jsonPath key md5 parentField path recordSet references regex repeat replace separator source "
    "subField transform"
)
_COLUMNS = {
    "id": ("sc:Text", "The document's name, unique in the dataset"),
    "text": ("sc:Text", "The cleaned text"),
    "group": ("sc:Text", "Documents of one group are never in two splits"),
    "source": ("sc:Text", "The source it comes from"),
    "licence": ("sc:Text", "The licence of that source, as stated in the project"),
    "bytes": ("sc:Integer", "The size of the text in UTF-8"),
}
_TYPES = (
    (pa.types.is_boolean, "sc:Boolean"),
    (pa.types.is_integer, "sc:Integer"),
    (pa.types.is_floating, "sc:Float"),
    (pa.types.is_date, "sc:Date"),
    (pa.types.is_timestamp, "sc:DateTime"),
    (pa.types.is_time, "sc:Time"),
    (pa.types.is_binary, "sc:ImageObject"),  # pictures are the only bytes in a dataset
)


def datasheet(config: DataConfig, *, rows: Sequence[Row], dataset: Path, root: Path) -> dict[str, Any]:
    """The sheet of the dataset whose Parquet files are in `dataset`; `root` is the project's folder."""
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": _CROISSANT + "1.0",
        "name": config.name,
        "description": _description(rows),
        "license": sorted({source.licence for source in config.sources}),
        "url": f"urn:genwright:dataset:{config.name}",
        "version": "1.0.0",
        "distribution": [_file(dataset / f"{name}.parquet") for name in (*SPLITS, "dropped")],
        "recordSet": [_record_set(split, "documents", _COLUMNS) for split in SPLITS],
        "rai:dataCollection": [_documents_line(source, rows, root) for source in config.sources],
        "rai:dataPreprocessingProtocol": _step_lines(rows),
        "rai:personalSensitiveInformation": [_personal(config, rows)],
    }


def row_datasheet(config: Any, *, columns: Mapping[str, Sequence[Any]], dataset: Path, root: Path) -> dict[str, Any]:
    """The sheet of samples that stand for themselves; `columns` counts them by source, split and reason."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    kept = sum(row["samples"] for row in rows if row["status"] == "kept")
    sizes = {split: sum(row["samples"] for row in rows if row["split"] == split) for split in SPLITS}
    splits = ", ".join(f"{split} {size:,}" for split, size in sizes.items())
    files = [dataset / f"{name}.parquet" for name in (*SPLITS, "dropped")]
    lost = [row for row in rows if row["status"] == "dropped"]
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": _CROISSANT + "1.0",
        "name": config.name,
        "description": f"{kept:,} samples ({splits}). Dropped ones are kept with their reasons in dropped.parquet.",
        "license": sorted({source.licence for source in config.sources}),
        "url": f"urn:genwright:dataset:{config.name}",
        "version": "1.0.0",
        "distribution": [_file(path) for path in files if path.is_file()],
        "recordSet": [_samples_set(dataset / f"{split}.parquet", split) for split in SPLITS],
        "rai:dataCollection": [_source_line(source, root) for source in config.sources],
        "rai:dataPreprocessingProtocol": [f"{r['step']}: {r['samples']:,} dropped as {r['reason']}" for r in lost],
    }


def _context() -> dict[str, Any]:
    terms: dict[str, Any] = {term: f"cr:{term}" for term in _TERMS.split()}
    terms["conformsTo"] = "dct:conformsTo"
    terms["data"] = {"@id": "cr:data", "@type": "@json"}
    terms["examples"] = {"@id": "cr:examples", "@type": "@json"}
    terms["dataType"] = {"@id": "cr:dataType", "@type": "@vocab"}
    prefixes = {
        "cr": _CROISSANT,
        "rai": _CROISSANT + "RAI/",
        "dct": "http://purl.org/dc/terms/",
        "sc": "https://schema.org/",
    }
    return {"@language": "en", "@vocab": "https://schema.org/", **prefixes, **terms}


def _description(rows: Sequence[Row]) -> str:
    kept = [row for row in rows if row.kept]
    sizes = ", ".join(f"{split} {sum(row.split == split for row in kept):,}" for split in SPLITS)
    return (
        f"{len(kept):,} text documents ({sum(row.bytes_out for row in kept):,} bytes; documents by split: {sizes}) "
        f"left of {len(rows):,} read. Dropped documents are kept with their reasons in dropped.parquet."
    )


def _file(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file_digest(path),
    }


def _described(path: Path) -> dict[str, tuple[str, str]]:
    """The columns of a Parquet file with their Croissant types; lists and structures have none there."""
    schema = pq.read_schema(path)
    flat = [field for field in schema if not pa.types.is_nested(field.type)]
    known = {"id": "The sample's name, unique in the dataset", "group": "Samples of one group are never in two splits"}
    return {field.name: (_data_type(field.type), known.get(field.name, f"Column {field.name}")) for field in flat}


def _samples_set(path: Path, split: str) -> dict[str, Any]:
    """The fields of a split; of columns that are no field the description says what they hold."""
    found = _record_set(split, "samples", _described(path))
    nested = [f"{field.name} ({field.type})" for field in pq.read_schema(path) if pa.types.is_nested(field.type)]
    if nested:
        found["description"] += f"; the file also has {', '.join(nested)}, which is no field of Croissant's kinds"
    return found


def _data_type(kind: pa.DataType) -> str:
    return next((name for is_of, name in _TYPES if is_of(kind)), "sc:Text")


def _record_set(split: str, what: str, columns: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}/{quote(name)}",
            "name": f"{split}/{quote(name)}",
            "description": description,
            "dataType": kind,
            "source": {"fileObject": {"@id": f"{split}.parquet"}, "extract": {"column": name}},
        }
        for name, (kind, description) in columns.items()
    ]
    about = f"The {what} of the {split} split"
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "description": about, "field": fields}


def _source_line(source: FilesConfig, root: Path) -> str:
    return f"{source.label} (licence {source.licence}){provenance(source, root=root)}"


def _documents_line(source: FilesConfig, rows: Sequence[Row], root: Path) -> str:
    own = [row for row in rows if row.source == source.label]
    kept = sum(row.kept for row in own)
    return f"{_source_line(source, root)}: {len(own):,} documents read, {kept:,} kept"


def _step_lines(rows: Sequence[Row]) -> list[str]:
    dropped = Counter((row.step, row.reason) for row in rows if not row.kept)
    lines = [f"{step}: {count:,} documents dropped as {reason}" for (step, reason), count in sorted(dropped.items())]
    passages = sum(row.passages_removed for row in rows)
    return [*lines, f"passages: {passages:,} repeated passages taken out of documents that were kept or dropped"]


def _personal(config: DataConfig, rows: Sequence[Row]) -> str:
    redactions = sum(row.num_redactions for row in rows)
    chosen = f"Personal data: {config.redact.pii}; secrets: {config.redact.secrets}"
    return f"{chosen}; {redactions:,} placeholders put in by pattern matching"
