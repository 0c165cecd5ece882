"""Rows of the one scores table."""

from typing import Any

from genwright.core.protocols import Candidate

Row = dict[str, Any]
COLUMNS = (
    "table", "candidate", "column", "value", "label", "score", "score_real", "actual", "predicted", "predicted_real",
    "subgroup", "group",
)  # fmt: skip


def row(table: str, candidate: Candidate, **cells: Any) -> Row:
    """A row of one of the stacked tables; the columns that it lacks stay empty."""
    return {"table": table, "candidate": candidate.name, **cells}
