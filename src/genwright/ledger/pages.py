"""The bytes of a SQLite file that hold nothing: SQLite does not check them, so a change there is looked for here.

Source: "Database File Format", sections 1.3 (header) and 1.6 (b-tree pages), at sqlite.org.
"""

from collections.abc import Iterator
from pathlib import Path

HEADER_BYTES = 100
RESERVED = slice(72, 92)
# The pages that hold rows. Others are left out: when SQLite splits one, old bytes stay in its unused space. They hold
# no evidence, and what an index says is held against the table by SQLite itself.
LEAF, LEAF_HEADER_BYTES = 13, 8


def page_problems(path: Path, /) -> list[str]:
    """The places where unused space of the file is not zero, as it was written (the file's log must be empty)."""
    data = path.read_bytes()
    if len(data) < HEADER_BYTES:
        return [f"ledger file {path.name} is shorter than its header"]
    found = [f"ledger file {path.name}: reserved header bytes are not zero"] if any(data[RESERVED]) else []
    size = int.from_bytes(data[16:18], "big") or 1
    size = 65536 if size == 1 else size
    for page, gap in _gaps(data, size):
        if any(gap):
            found.append(f"ledger file {path.name}: unused space of page {page} is not zero")
    return found


def _gaps(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The space between the cell pointers and the cells of every page of rows."""
    for page in range(len(data) // size):
        start = page * size
        header = start + (HEADER_BYTES if page == 0 else 0)
        kind = data[header]
        if kind != LEAF or not _is_leaf(data, header, size):
            continue  # an overflow page starts with the number of the next one
        num_cells = int.from_bytes(data[header + 3 : header + 5], "big")
        first_cell = int.from_bytes(data[header + 5 : header + 7], "big") or 65536
        yield page + 1, data[header + LEAF_HEADER_BYTES + 2 * num_cells : start + first_cell]


def _is_leaf(data: bytes, header: int, size: int) -> bool:
    """Whether the page's header makes sense; the first byte of an overflow page can look like a type."""
    num_cells = int.from_bytes(data[header + 3 : header + 5], "big")
    first_cell = int.from_bytes(data[header + 5 : header + 7], "big")
    return 0 < first_cell <= size and num_cells * 2 < size and data[header + 7] <= 60
