"""What is known of samples, as a person says it."""

import pyarrow as pa
import pytest

from genwright.core import CapabilityError, DataError, SpecError, modality_component
from genwright.modalities.condition import Conditioner
from genwright.modalities.conditioning import ConditionConfig
from genwright.systems.told import asked_rows, known_rows, told_rows


def test_an_empty_cell_is_unknown_in_texts_too(tmp_path) -> None:
    path = tmp_path / "holes.csv"
    path.write_text("a,b,c\n0.5,,x\n,2,\n,NA,NaN\n")
    rows, count = known_rows(str(path), count=1)
    assert count == 3
    assert rows.to_pydict() == {"a": [0.5, None, None], "b": [None, 2, None], "c": ["x", None, None]}


def test_a_file_without_rows_or_with_a_column_twice_says_nothing_of_any_sample(tmp_path) -> None:
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    with pytest.raises(SpecError, match="a column twice: a, a"):
        known_rows(str(tmp_path / "twice.csv"), count=1)
    (tmp_path / "latin.csv").write_bytes(b"M\xfchle\n1\n")
    with pytest.raises(SpecError, match="cannot be read as CSV"):
        known_rows(str(tmp_path / "latin.csv"), count=1)
    (tmp_path / "none.csv").write_text("a,b\n")
    with pytest.raises(SpecError, match="no rows below its header"):
        known_rows(str(tmp_path / "none.csv"), count=1)


class Codec:
    conditioner = Conditioner.fit([ConditionConfig(column="kind")], rows=[pa.table({"kind": ["u", "v"]})])


def test_a_condition_is_said_as_an_object_or_as_a_file_and_names_what_the_system_knows(tmp_path) -> None:
    (tmp_path / "asked.csv").write_text("kind\nu\nv\n")
    assert asked_rows('{"kind": "u"}', Codec(), count=3)[0].to_pydict() == {"kind": ["u"] * 3}
    assert asked_rows(str(tmp_path / "asked.csv"), Codec(), count=1)[1] == 2
    with pytest.raises(DataError, match="not conditioned on 'kin'"):
        asked_rows('{"kin": "u"}', Codec(), count=1)
    with pytest.raises(CapabilityError, match="without a condition"):
        asked_rows('{"kind": "u"}', object(), count=1)


def test_files_are_told_one_at_a_time(tmp_path) -> None:
    for name in ("a.smi", "b.smi"):
        (tmp_path / name).write_text("CCO\n")
    with pytest.raises(SpecError, match="2 files are given"):
        told_rows([str(tmp_path / "a.smi"), str(tmp_path / "b.smi")], modality_component("molecule").load()())
