"""Scores tables: what is written is read back to the bit; what is not a score is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwright.core import DataError
from genwright.measure import read_scores, write_scores

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5).flatmap(lambda n: st.dictionaries(st.text(), st.lists(CELLS, min_size=n, max_size=n))))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[object]]) -> None:
    folder = tmp_path_factory.mktemp("scores")
    write_scores(folder, columns)  # type: ignore[arg-type]
    back = read_scores(folder)
    assert back == columns
    assert all(type(a) is type(b) for name in columns for a, b in zip(columns[name], back[name], strict=True))


def test_same_table_gives_the_same_bytes_in_any_column_order(tmp_path: Path) -> None:
    write_scores(tmp_path / "a", {"x": [0.1], "y": ["é"]})
    write_scores(tmp_path / "b", {"y": ["é"], "x": [0.1]})
    assert (tmp_path / "a/scores.json").read_bytes() == (tmp_path / "b/scores.json").read_bytes()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    with pytest.raises(DataError, match="column 'x', row 1"):
        write_scores(tmp_path, {"x": [1.0, bad]})


def test_other_wrong_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="differ in length"):
        write_scores(tmp_path, {"x": [1], "y": []})
    with pytest.raises(DataError, match=r"int64.*\.item"):
        write_scores(tmp_path, {"x": [np.int64(1)]})  # type: ignore[list-item]
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path)
    (tmp_path / "scores.json").write_text('{"x": [1')
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path)
