"""Text as a modality: samples from the files of a source."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genwright.core import DataError
from genwright.core.protocols import Sample
from genwright.core.registry import load_reference
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.records import Record, Unread, UnreadableError
from genwright.modalities.text.sources import HUB, SourceFile, list_files

Reader = Callable[..., Iterator[Record | UnreadableError]]

_READERS: Mapping[str, str] = {
    "text": "plain:read_text",
    "markdown": "plain:read_markdown",
    "python": "plain:read_python",
    "jsonl": "jsonl:read_jsonl",
    "parquet": "parquet:read_parquet",
    "html": "documents:read_html",
    "pdf": "documents:read_pdf",
    "docx": "documents:read_docx",
    "python-dict": "literals:read_python_dict",
    "python-docstrings": "literals:read_docstrings",
}
_SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys(("txt", "text", "rst", "tex", "log", "csv", "tsv"), "text"),
    **dict.fromkeys(("c", "h", "cc", "cpp", "hpp", "rs", "go", "java", "js", "ts", "sh", "sql", "r", "jl"), "text"),
    **dict.fromkeys(("toml", "yaml", "yml", "json", "xml", "cfg", "ini"), "text"),
    **dict.fromkeys(("md", "markdown"), "markdown"),
    **dict.fromkeys(("py", "pyi"), "python"),
    **dict.fromkeys(("jsonl", "ndjson"), "jsonl"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **{name: name for name in ("parquet", "pdf", "docx")},
}


class TextModality:
    """Reads prose and code."""

    name = "text"

    def read(self, source: SourceConfig, *, root: Path) -> Iterator[Sample | Unread]:
        """The documents of a source as a stream; with `on_error = "drop"`, those that cannot be read, too.

        Raises:
            DataError: a file or document cannot be read and the source says `fail`; the message names it.
        """
        if source.path.startswith(HUB):
            load_reference("datasets:load_dataset", extra="hf")
            from genwright.modalities.text.readers.hub import read_hub

            yield from _samples(read_hub(source, root=root), SourceFile(root, source.path), source)
            return
        for file in list_files(source, root=root):
            yield from _samples(_read_file(file, source), file, source)


def _read_file(file: SourceFile, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    try:
        yield from _reader(file, source)(file, source=source)
    except UnreadableError as error:
        yield error


def _reader(file: SourceFile, source: SourceConfig) -> Reader:
    suffix = file.path.name.lower().removesuffix(".gz").rpartition(".")[2]
    name = _SUFFIXES.get(suffix) if source.format == "auto" else source.format
    if name is None:
        raise UnreadableError(
            f"{file.path}: no reader is known for '.{suffix}'",
            reason="unknown-format",
            hint=f"set the source's format ({', '.join(_READERS)}), exclude the file, or set on_error = 'drop'",
        )
    reader: Reader = load_reference(f"genwright.modalities.text.readers.{_READERS[name]}", extra="data")
    return reader


def _samples(
    records: Iterator[Record | UnreadableError], file: SourceFile, source: SourceConfig
) -> Iterator[Sample | Unread]:
    for record in records:
        name = f"{file.name}#{record.key}" if record.key else file.name
        if isinstance(record, Record):
            yield _sample(record, name, file, source)
        elif source.on_error == "drop":
            yield Unread(name, source.label, source.licence, record.reason, _without_folder(record.message, file))
        else:
            raise DataError(record.message, hint=record.hint)


def _sample(record: Record, name: str, file: SourceFile, source: SourceConfig) -> Sample:
    own = {"document": name, "file": file.name, "folder": file.name.rpartition("/")[0]}[source.group_by]
    group = own if record.group is None else f"{source.label}#{record.group}"
    meta: dict[str, Any] = {}
    return Sample(name, record.text, source.label, source.licence, group, meta)


def _without_folder(message: str, file: SourceFile) -> str:
    """The message with the file's name in the source instead of its path on this machine."""
    return message.replace(str(file.path), file.name)
