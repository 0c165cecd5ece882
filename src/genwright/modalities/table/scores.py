"""Rows of the one scores table, and the arrays beside it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core.protocols import Candidate

Row = dict[str, Any]
COLUMNS = (
    "table", "candidate", "column", "value", "label", "score", "score_real", "actual", "predicted", "predicted_real",
    "subgroup", "group", "id",
)  # fmt: skip
CLASS_SCORES = ("class_scores", "class_scores_real")


def row(table: str, candidate: Candidate, **cells: Any) -> Row:
    """A row of one of the stacked tables; the columns that it lacks stay empty."""
    return {"table": table, "candidate": candidate.name, **cells}


def arrays_of(rows: Sequence[Row], /) -> dict[str, NDArray[np.float32]]:
    """What trees say of each class (n, classes), of made and of real rows; zeros in rows of other tables."""
    width = next((len(one[CLASS_SCORES[0]]) for one in rows if CLASS_SCORES[0] in one), 0)
    if not width:
        return {}
    blank = np.zeros(width)
    return {name: np.array([one.get(name, blank) for one in rows], dtype=np.float32) for name in CLASS_SCORES}
