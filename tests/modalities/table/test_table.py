"""The table modality: reading, tokens and back, distance, and metrics that tell good rows from bad."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.config import BinsConfig, TableSourceConfig
from genwright.modalities.table.modality import TableModality


def patients(n, seed):
    """A whole number, a number with two decimals and a spike, a category that depends on them, missing cells."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    cost = np.where(rng.random(n) < 0.4, 0.0, np.round(rng.gamma(2.0, 50.0, n) + age, 2))
    sick = rng.random(n) < (age > 50) * 0.8 + 0.1
    weight = np.where(rng.random(n) < 0.1, np.nan, np.round(rng.normal(40, 3, n) + age / 2, 1))
    ids = [f"{seed}:{row}" for row in range(n)]
    return pa.table(
        {
            "id": ids,
            "group": ids,
            "age": pa.array(age),
            "cost": pa.array(cost),
            "sick": pa.array(np.where(sick, "yes", "no")),
            "weight": pa.array(weight, mask=np.isnan(weight)),
        }
    )


def test_rows_come_back_on_their_grid(tmp_path):
    train, test = patients(3000, 1), patients(300, 2)
    codec = BinsCodec.fit(BinsConfig(), rows=[train.slice(0, 1500), train.slice(1500)])
    codec.save(tmp_path)
    codec = BinsCodec.load(tmp_path)
    encoded = codec.encode(test)
    for place, (first, count) in enumerate(codec.shape.cells):
        assert ((encoded.values[:, place] >= first) & (encoded.values[:, place] < first + count)).all()
    back = codec.decode(encoded)
    assert back.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.float64()]
    for name in ("sick",):
        assert back.column(name).to_pylist() == test.column(name).to_pylist()
    assert back.column("weight").is_null().to_pylist() == test.column("weight").is_null().to_pylist()
    age, cost = back.column("age").to_numpy(), back.column("cost").to_numpy()
    assert np.abs(age - test.column("age").to_numpy()).max() <= 1
    off = np.abs(cost - np.clip(test.column("cost").to_numpy(), 0, cost.max()))
    assert np.quantile(off, 0.98) < 4 and off.max() < 40  # in the tail three rows share a wide range
    assert ((cost == 0) == (test.column("cost").to_numpy() == 0)).all() and np.allclose(cost, np.round(cost, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n3\n", "cannot be read as a table"), ("", "cannot be read as a table"), ("a\n1\n", "no column 'b'")],
)
def test_broken_files_are_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    source = TableSourceConfig(path="t.csv", columns=("a", "b"))
    with pytest.raises(DataError, match=message) as caught:
        list(TableModality().read(source, root=tmp_path))
    assert "t.csv" in caught.value.message


def test_reading_groups_missing_and_infinite(tmp_path):
    (tmp_path / "t.csv").write_text("id,who,x,kind\n1,a,1.5,NA\n2,a,inf,u\n3,b,,\n")
    (table,) = TableModality().read(TableSourceConfig(path="t.csv", group_column="who"), root=tmp_path)
    assert table.column_names == ["id", "group", "id_", "x", "kind"]
    assert table.column("group").to_pylist() == ["a", "a", "b"]
    assert table.column("kind").to_pylist() == [None, "u", None]
    assert TableModality().validate(table) == [None, "not-finite", None]
    bare = pa.table({"x": pa.array([None], pa.float64()), "kind": pa.array([None], pa.string())})
    assert TableModality().validate(bare) == ["empty"]


def test_preview_and_files(tmp_path):
    rows = patients(50, 1)
    assert TableModality().preview(rows, tmp_path / "p").read_text().count("<text") == 4
    assert [path.name for path in TableModality().write(rows, tmp_path)] == ["samples.csv", "samples.parquet"]
