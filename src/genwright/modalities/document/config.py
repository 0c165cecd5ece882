"""Settings of documents, importable at planning: pydantic only."""

from string import Formatter
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from genwright.core import Config, ModalityComponent
from genwright.modalities.files.config import WebFilesConfig
from genwright.modalities.text.config import ReadingConfig

FIELDS = ("name", "stem", "key")
SPECIAL_TOKENS = 2  # what an encoder puts before and after a text
LEAST_TOKENS = 16
SCHEMES = ("http", "https", "file")


class DocumentSourceConfig(ReadingConfig, WebFilesConfig):
    """Where documents come from: files and members of archives, and pages of the web where `fetch = "on"`.

    `format` follows from a file's name where it is `auto`. `python-dict` is a module that assigns a dictionary of
    texts, each a document; `jsonl` has one per line, in the named fields (only the text must be there). `url` is where
    a reader finds a document: `{name}` stands for its file's name, `{stem}` for that without suffixes, both without
    `strip` at their start, `{key}` for the document's name inside its file.
    """

    format: Literal["auto", "text", "markdown", "rst", "html", "pdf", "docx", "python-dict", "jsonl"] = "auto"
    url: str | None = None
    strip: str = ""
    id_field: str = "id"
    title_field: str = "title"
    text_field: str = "text"
    url_field: str = "url"

    @model_validator(mode="after")
    def _url_is_a_template(self) -> Self:
        if self.url is None:
            return self
        try:
            used = [field for _, field, _, _ in Formatter().parse(self.url) if field is not None]
        except ValueError as error:
            raise ValueError(f"url is no template ({error})") from None
        if not set(used) <= set(FIELDS):
            raise ValueError(f"url may hold {', '.join(f'{{{name}}}' for name in FIELDS)}, and nothing else in braces")
        if not is_link(self.url):
            raise ValueError(f"url begins with {', '.join(f'{one}://' for one in SCHEMES)}")
        return self


def is_link(url: str, /) -> bool:
    """Whether a reader can be led there: scripts and data are no places."""
    return urlsplit(url).scheme in SCHEMES


class ChunkConfig(Config):
    """How documents are cut. Sizes are in the encoder's tokens and hold header, text and the encoder's own marks.

    A chunk has at most `max_tokens` (None: the encoder's window; never more than that). Blocks that follow each other
    in one section are joined up to `target_tokens` (None: as many as fit). `headers` puts the title, the headings and
    the definition above each chunk. `keep = "blocks"` cuts inside a block only where it does not fit; `"sentences"`
    fills every chunk. A chunk is embedded in parts, blocks joined up to `part_tokens` of text ("whole": as a whole): a
    question is near to a few sentences rather than to all that stands around them.
    """

    max_tokens: int | None = Field(default=None, ge=LEAST_TOKENS)
    target_tokens: int | None = Field(default=None, ge=1)
    headers: Literal["on", "off"] = "on"
    keep: Literal["blocks", "sentences"] = "blocks"
    part_tokens: Annotated[int, Field(ge=1)] | Literal["whole"] = 96


DOCUMENT = ModalityComponent(
    "document",
    DocumentSourceConfig,
    "genwright.modalities.document.modality:DocumentModality",
    extra="data",
    documents=True,
)
