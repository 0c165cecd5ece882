"""A table of a page, with headers that a screen reader can follow."""

from collections.abc import Iterable, Sequence
from html import escape


def table(names: Sequence[str], rows: Iterable[Sequence[str]], /, *, caption: str = "") -> str:
    """Rows under their names, all escaped; the first cell of a row is its header.

    >>> table(["a", "b"], [["1", "<"]])
    '<table><tr><th scope="col">a</th><th scope="col">b</th></tr><tr><th scope="row">1</th><td>&lt;</td></tr></table>'
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    return f"<table>{title}<tr>{head}</tr>{''.join(map(_row, rows))}</table>"


def _row(cells: Sequence[str]) -> str:
    first, *others = map(escape, cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
