"""Settings of the text modality, importable at planning: pydantic only."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig

Format = Literal[
    "auto", "text", "python", "markdown", "jsonl", "parquet", "html", "pdf", "docx", "python-dict", "python-docstrings"
]


class ReadingConfig(FilesConfig):
    """How the bytes of a document become text: their encoding, and the most that is read of one."""

    encoding: str = "utf-8"
    max_document_bytes: int = Field(default=10_000_000, ge=1)


class SourceConfig(ReadingConfig):
    """Where texts come from: files and members of archives; `hf:NAME` or `hf:./FOLDER`, a Hugging Face dataset."""

    hub: ClassVar[bool] = True

    format: Format = "auto"
    order: Literal["given", "shortest-first"] = "given"
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


class BpeConfig(Config):
    """A byte-level BPE. `vocab_size` counts the 256 bytes and 3 marks; a token holds at most `max_digits` digits.

    `cut` is where tokens may end: our own rules, or those of GPT-2 (whatever `max_digits`), which llama.cpp knows.
    """

    kind: Literal["bpe"] = "bpe"
    vocab_size: int = Field(default=4096, ge=259, le=1_000_000)
    min_frequency: int = Field(default=2, ge=1)
    max_digits: int = Field(default=2, ge=1, le=3)
    max_token_characters: int = Field(default=24, ge=1)
    cut: Literal["own", "gpt-2"] = "own"


class BytesConfig(Config):
    """Each byte of the UTF-8 text is a token; nothing is fitted."""

    kind: Literal["bytes"] = "bytes"


class PretrainedConfig(Config):
    """The tokenizer of a pretrained model, which the stage [base] brings; there is nothing to fit."""

    kind: Literal["pretrained"] = "pretrained"


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
PRETRAINED = Component(
    "pretrained",
    PretrainedConfig,
    "genwright.modalities.text.pretrained:PretrainedCodec",
    accepts=("tokens",),
    extra="pretrained",
    stream=True,
    modalities=("text", "chat", "document"),
    brought_by="base",
)
