"""Tasks made of Python source: the head and docstring of a function with examples, and the function."""

from __future__ import annotations

import ast
import doctest
import warnings
from collections.abc import Iterator

from genwright.modalities.chat.summaries import Function, encoding_of, functions, without_docstring

ASKED = "Write the Python function `{head}`.\n\n{doc}"
IMPORTS = (ast.Import, ast.ImportFrom)


def tasks(data: bytes, /, *, max_code_characters: int) -> Iterator[tuple[str, str, str]]:
    """(name, question, answer) of each function whose docstring shows examples (`>>>`).

    The answer is fenced: the imports of the module, and the function without its docstring. What else of the module it
    needs is not there, so not every answer passes its own examples; a `doctest` verifier says which do.

    Raises:
        SyntaxError, ValueError: the bytes are not Python source.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in old code
        tree = ast.parse(data)
    lines = data.decode(encoding_of(data)).splitlines(keepends=True)
    imports = "\n".join(ast.unparse(one) for one in tree.body if isinstance(one, IMPORTS) and not _is_own(one))
    for name, function in functions(tree.body):
        doc = ast.get_docstring(function, clean=True) or ""
        code = without_docstring(function, lines) if "." not in name and _shows_examples(doc) else ""
        if code and len(code) <= max_code_characters:
            yield name, ASKED.format(head=_head(function), doc=doc), f"```python\n{imports}\n\n{code}\n```"


def _is_own(one: ast.stmt) -> bool:
    """Whether an import is of the package itself, or of the future."""
    return isinstance(one, ast.ImportFrom) and (one.level > 0 or one.module == "__future__")


def _shows_examples(doc: str) -> bool:
    try:
        return bool(doctest.DocTestParser().get_examples(doc))
    except ValueError:
        return False


def _head(function: Function) -> str:
    return f"{function.name}({ast.unparse(function.args)})"
