"""Documents as a modality: what answers are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from genwright.core.protocols import Unreadable
from genwright.modalities.document.config import DocumentSourceConfig
from genwright.modalities.document.document import Document
from genwright.modalities.document.reading import read_documents

COLUMNS = ("id", "title", "text", "format", "url")
_AT_ONCE_BYTES = 8 << 20


class DocumentModality:
    """Documents as rows: their name, title, text, format and address."""

    name = "document"

    def read(self, source: DocumentSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """Tables of some 8 MB of documents, all of them in `train`: there is nothing to hold out.

        Raises:
            DataError: a document cannot be read, and the source says `fail`.
        """
        held: list[Document] = []
        for item in read_documents(source, root=root):
            if isinstance(item, Unreadable):
                yield item
                continue
            held.append(item)
            if sum(len(one.text) for one in held) >= _AT_ONCE_BYTES:
                yield _table(held)
                held = []
        if held:
            yield _table(held)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A document is legal where it has text."""
        return [None if (text or "").strip() else "empty" for text in rows.column("text").to_pylist()]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The words of the text."""
        return [" ".join((text or "").split()).encode() for text in rows.column("text").to_pylist()]


def documents_of(tables: Iterable[pa.Table], /) -> Iterator[Document]:
    """The documents of a dataset's rows: with its columns `source` and `licence` where they are there."""
    for table in tables:
        for row in table.to_pylist():
            more = {name: row[name] for name in ("source", "licence") if row.get(name)}
            yield Document(**{name: row[name] for name in COLUMNS}, **more)


def _table(documents: list[Document]) -> pa.Table:
    columns = {name: pa.array([getattr(one, name) for one in documents], pa.string()) for name in COLUMNS}
    train = pa.array(["train"] * len(documents), pa.string())
    return pa.table({"id": columns["id"], "group": columns["id"], **columns, "split": train})
