"""Texts in a dictionary that Python source assigns, read as a literal and never executed."""

import ast
from collections.abc import Iterator

from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.records import Record, UnreadableError, decode, read_all
from genwright.modalities.text.sources import SourceFile


def read_python_dict(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """One document per entry of the first dictionary of texts that the module assigns.

    Raises:
        UnreadableError: the file is not Python, or assigns no such dictionary.
    """
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    text = decode(data, where=str(file.path), source=source)
    entries = list(_first_dictionary(text, file).items())
    if source.order == "shortest-first":
        entries.sort(key=lambda entry: len(entry[1]))
    for key, value in entries:
        yield Record(key, value)


def _first_dictionary(text: str, file: SourceFile) -> dict[str, str]:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{file.path} is not Python source ({error})", reason="corrupt") from None
    for node in module.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Dict):
            found = _literal(value)
            if found:
                return found
    raise UnreadableError(
        f"{file.path} assigns no dictionary of texts",
        reason="no-text-field",
        hint="format 'python-dict' needs NAME = {'key': 'text', ...}",
    )


def _literal(node: ast.Dict) -> dict[str, str]:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return {}
    return {str(key): text for key, text in value.items() if isinstance(text, str)}
