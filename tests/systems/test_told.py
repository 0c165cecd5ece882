"""What is known of samples, as a person says it."""

from genwright.systems.told import known_rows


def test_an_empty_cell_is_unknown_in_texts_too(tmp_path) -> None:
    path = tmp_path / "holes.csv"
    path.write_text("a,b,c\n0.5,,x\n,2,\n,NA,NaN\n")
    rows, count = known_rows(str(path), count=1)
    assert count == 3
    assert rows.to_pydict() == {"a": [0.5, None, None], "b": [None, 2, None], "c": ["x", None, None]}
