"""A document out of a row with named fields."""

from collections.abc import Mapping
from typing import Any

from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.records import Record, UnreadableError


def record_of(row: Mapping[str, Any], *, source: SourceConfig, where: str, key: str) -> Record | UnreadableError:
    """The row's text, with its id and group where the source names fields for them."""
    text = row.get(source.text_field)
    if not isinstance(text, str):
        known = ", ".join(sorted(map(str, row)))
        return UnreadableError(
            f"{where}: field '{source.text_field}' is {'missing' if text is None else 'not text'} (fields: {known})",
            reason="no-text-field",
            key=key,
            hint="set text_field of this source to the field that holds the text, or on_error = 'drop'",
        )
    if len(text.encode(errors="surrogatepass")) > source.max_document_bytes:
        return UnreadableError(
            f"{where}: its text is longer than max_document_bytes = {source.max_document_bytes:,}",
            reason="too-large",
            key=key,
            hint="raise max_document_bytes of this source, or set on_error = 'drop'",
        )
    own_key = row.get(source.id_field) if source.id_field else None
    group = row.get(source.group_field) if source.group_field else None
    return Record(key if own_key is None else str(own_key), text, None if group is None else str(group))
