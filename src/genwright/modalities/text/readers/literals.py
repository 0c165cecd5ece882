"""Texts inside Python source, read as literals and never executed: a dictionary's entries, or the docstrings."""

import ast
from collections.abc import Iterator

from genwright.modalities.text.config import ReadingConfig, SourceConfig
from genwright.modalities.text.readers.plain import read_python
from genwright.modalities.text.records import Record, UnreadableError, decode, read_all
from genwright.modalities.text.sources import SourceFile


def read_python_dict(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """One document per entry of the first dictionary of texts that the module assigns.

    Raises:
        UnreadableError: the file is not Python, or assigns no such dictionary.
    """
    entries = list(python_dictionary(file, source=source).items())
    if source.order == "shortest-first":
        entries.sort(key=lambda entry: len(entry[1]))
    for key, value in entries:
        yield Record(key, value)


def python_dictionary(file: SourceFile, *, source: ReadingConfig) -> dict[str, str]:
    """The texts of the first dictionary of texts that the module assigns, by their keys.

    Raises:
        UnreadableError: the file is not Python, or assigns no such dictionary.
    """
    data = read_all(file.path, limit_bytes=source.max_document_bytes)
    return _first_dictionary(decode(data, where=str(file.path), source=source), file)


def read_docstrings(file: SourceFile, *, source: SourceConfig) -> Iterator[Record | UnreadableError]:
    """One document per module: the docstrings of the module, its classes and functions, in the order of the source.

    Raises:
        UnreadableError: the file is not Python.
    """
    for record in read_python(file, source=source):
        if isinstance(record, UnreadableError):
            yield record
            continue
        found = [doc for node in ast.walk(_parse(record.text, file)) if (doc := _docstring(node))]
        if found:
            yield Record("", "\n\n\n".join(text for _, text in sorted(found)) + "\n")


def _docstring(node: ast.AST) -> tuple[int, str] | None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    text = ast.get_docstring(node, clean=True)
    return (node.body[0].lineno, text) if text else None


def _parse(text: str, file: SourceFile) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{file.path} is not Python source ({error})", reason="corrupt") from None


def _first_dictionary(text: str, file: SourceFile) -> dict[str, str]:
    for node in _parse(text, file).body:
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
