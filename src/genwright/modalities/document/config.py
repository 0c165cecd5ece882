"""Settings of documents, importable at planning: pydantic only."""

from string import Formatter
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import model_validator

from genwright.core import ModalityComponent
from genwright.modalities.files.config import WebFilesConfig
from genwright.modalities.text.config import ReadingConfig

FIELDS = ("name", "stem", "key")
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


DOCUMENT = ModalityComponent(
    "document",
    DocumentSourceConfig,
    "genwright.modalities.document.modality:DocumentModality",
    extra="data",
    documents=True,
)
