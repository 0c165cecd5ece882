"""Pairs made of Python source: a function without its docstring, and the docstring's first line."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
LONGEST_SUMMARY = 120
WORD = re.compile(r"[A-Za-z]{2,}")


def pairs(data: bytes, /, *, max_code_characters: int, min_words: int) -> Iterator[tuple[str, str, str]]:
    """(name, code, summary) of each function that says in words what it does.

    Left out are functions nested in others, those without statements besides the docstring, code that is longer than
    `max_code_characters`, and first lines of fewer than `min_words` words, of more than 120 characters, or that go on
    in the next line.

    Raises:
        SyntaxError, ValueError: the bytes are not Python source.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in old code
        tree = ast.parse(data)
    lines = data.decode(encoding_of(data)).splitlines(keepends=True)
    for name, function in functions(tree.body):
        summary = _summary(function, min_words=min_words)
        code = without_docstring(function, lines) if summary else ""
        if summary and code and len(code) <= max_code_characters:
            yield name, code, summary


def encoding_of(data: bytes) -> str:
    """The encoding that Python source declares."""
    from io import BytesIO
    from tokenize import detect_encoding

    return detect_encoding(BytesIO(data).readline)[0]


def functions(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """Functions and methods with their names, those within functions left out."""
    for node in body:
        if isinstance(node, Function):
            yield f"{owner}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{owner}{node.name}.")


def _summary(function: Function, *, min_words: int) -> str:
    doc = ast.get_docstring(function, clean=True)
    first, _, rest = (doc or "").partition("\n")
    goes_on = rest and not rest.startswith("\n")
    told = len(first) <= LONGEST_SUMMARY and len(WORD.findall(first)) >= min_words
    return first.strip() if told and not goes_on else ""


def without_docstring(function: Function, lines: list[str]) -> str:
    """The source of the function from its first decorator on, dedented; empty where the docstring is all it has."""
    doc, *body = function.body
    if not body or _is_stub(body):
        return ""
    begin = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    assert doc.end_lineno is not None and function.end_lineno is not None
    kept = lines[begin - 1 : doc.lineno - 1] + lines[doc.end_lineno : function.end_lineno]
    return textwrap.dedent("".join(kept)).strip()


def _is_stub(body: list[ast.stmt]) -> bool:
    if len(body) > 1:
        return False
    only = body[0]
    return isinstance(only, ast.Pass | ast.Raise) or (
        isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant)
    )
