"""Files to tables: types, names, several files, and what is refused."""

import datetime as dt
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import DataError
from genwright.modalities.table.config import TableSourceConfig
from genwright.modalities.table.modality import TableModality


def read(root, **settings):
    return list(TableModality().read(TableSourceConfig(path="*", **settings), root=root))


def test_types_are_those_of_the_whole_first_file_and_kept(tmp_path):
    (tmp_path / "a.csv").write_text("day,ok,n,x\n2020-01-01,true,1,2\n2020-01-02,false,2,2.5\n")
    (tmp_path / "b.csv").write_text("day,ok,n,x\n2021-01-01,true,?,3\n")
    one, two = read(tmp_path)
    assert one.schema.types[2:] == [pa.date32(), pa.bool_(), pa.int64(), pa.float64()] and two.schema == one.schema
    assert two.column("n").to_pylist() == [None] and two.column("id").to_pylist() == ["b.csv:1"]
    (tmp_path / "c.csv").write_text("day,ok,n,x\nsoon,true,1,3\n")
    with pytest.raises(DataError, match=r"column 'day' of .*c.csv is not of type date32"):
        read(tmp_path)
    (tmp_path / "c.csv").write_text("day,ok,n\n2020-01-01,true,1\n")
    with pytest.raises(DataError, match="do not have the same columns"):
        read(tmp_path)


def test_dates_as_they_are_written_and_times_of_day(tmp_path):
    (tmp_path / "a.csv").write_text("born,seen,at\n24.12.1950,3/5/2020 14:30,09:15\n?,12/31/2021 00:00,\n")
    written = {"born": "%d.%m.%Y", "seen": "%m/%d/%Y %H:%M"}
    (table,) = read(tmp_path, dates=written)
    assert table.schema.types[2:] == [pa.date32(), pa.timestamp("us"), pa.time64("us")]
    assert table.column("born").to_pylist() == [dt.date(1950, 12, 24), None]
    assert table.column("seen")[0].as_py() == dt.datetime(2020, 3, 5, 14, 30)
    assert table.column("at").to_pylist() == [dt.time(9, 15), None]
    with pytest.raises(DataError, match=r"row 1 of .*a.csv has '24.12.1950' in column 'born', .* '%Y/%m/%d'"):
        read(tmp_path, dates=written | {"born": "%Y/%m/%d"})
    with pytest.raises(DataError, match="no column 'died'"):
        read(tmp_path, dates={"died": "%Y"})


@pytest.mark.parametrize(
    ("names", "seems"), [("a;b\n1;2\n", "';'"), ("a\tb\n1\t2\n", r"'\\t'"), ("a|b\n1,5|2\n", r"'\|'")]
)
def test_a_file_with_another_delimiter_says_which_it_seems_to_be(tmp_path, names, seems):
    (tmp_path / "t.csv").write_text(names)
    with pytest.raises(DataError, match=f"they seem to end at {seems}") as raised:
        read(tmp_path)
    assert "data.sources delimiter = " in raised.value.hint
    (tmp_path / "t.csv").write_text("a;b\n1\n")
    (table,) = read(tmp_path, delimiter=",")
    assert table.column_names[2:] == ["a;b"]


def test_names_ids_and_dropped_columns(tmp_path):
    (tmp_path / "t.tsv").write_text("key\tid\tsplit\tx\nk1\t7\tleft\t1\nk2\t8\tright\t2\n")
    (table,) = read(tmp_path, id_column="key", drop=("x",))
    assert table.column_names == ["id", "group", "id_", "split_"]
    assert table.column("id").to_pylist() == table.column("group").to_pylist() == ["k1", "k2"]
    with pytest.raises(DataError, match="no column 'y'"):
        read(tmp_path, drop=("y",))
    with pytest.raises(DataError, match="no column left"):
        read(tmp_path, columns=("x",), drop=("x",))


def test_parquet_types_and_large_files_in_slices(tmp_path):
    words = pa.array(["a", "b"] * 50_000).dictionary_encode()
    pq.write_table(pa.table({"w": words, "n": pa.array(range(100_000), pa.int32())}), tmp_path / "t.parquet")
    tables = read(tmp_path)
    assert [len(table) for table in tables] == [65_536, 34_464]
    assert tables[1].schema.types[2:] == [pa.string(), pa.int64()]
    pq.write_table(pa.table({"list": [[1], [2]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'list' .* is of type list"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,b\n1,2\n3\n", "cannot be read"), (b"a,b\n", "no row"), (b"a,a\n1,2\n", "two columns 'a'"), (b"", "cannot")],
)
def test_broken_files_are_named_also_when_packed(tmp_path, content, message):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert "t.csv.gz" in caught.value.message


def test_parquet_is_read_so_many_rows_at_a_time_with_the_names_of_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr("genwright.modalities.table.reading.ROWS_AT_ONCE", 40)
    pq.write_table(pa.table({"x": list(range(100)), "y": [0.5, float("nan")] * 50}), tmp_path / "t.parquet")
    tables = list(TableModality().read(TableSourceConfig(path="t.parquet"), root=tmp_path))
    assert [len(table) for table in tables] == [40, 40, 20]
    whole = pa.concat_tables(tables)
    assert whole.column("id").to_pylist() == [f"t.parquet:{row}" for row in range(1, 101)]
    assert whole.column("y").null_count == 50
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no row"):
        list(TableModality().read(TableSourceConfig(path="none.parquet"), root=tmp_path))


def test_what_is_wrong_in_a_file_is_found_by_its_row(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 20 + "1,2,3\n")
    with pytest.raises(DataError, match="Row #22: Expected 2 columns, got 3"):
        read(tmp_path)
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,Mill\n2,M\xfchle\n")
    with pytest.raises(DataError, match=r"column 'b' of .*t.csv, row 2: b'M\\xfchle' is not UTF-8"):
        read(tmp_path)
    (tmp_path / "t.csv").write_bytes(b"M\xfchle,b\n1,2\n")
    with pytest.raises(DataError, match=r"t.csv, line 1: the names of columns are not UTF-8"):
        read(tmp_path)
