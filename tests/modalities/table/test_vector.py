"""Rows as vectors: what comes back, what is normal, what is known."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.core.protocols import Encoded
from genwright.modalities.table.config import VectorConfig
from genwright.modalities.table.vector import VectorCodec


def mixed(n, seed):
    rng = np.random.default_rng(seed)
    days = rng.integers(15_000, 16_000, n)
    gone = rng.random(n) < 0.1
    cents = np.where(rng.random(n) < 0.3, 0.0, np.round(rng.gamma(2.0, 3.0, n), 2))
    return pa.table(
        {
            "day": pa.array(days).cast(pa.int32()).cast(pa.date32()),
            "age": pa.array(rng.integers(18, 90, n)),
            "cents": pa.array(cents, mask=gone),
            "stage": pa.array(rng.integers(1, 5, n), mask=gone),
            "flag": pa.array(rng.random(n) < 0.5),
            "word": pa.array([f"w{word}" for word in rng.integers(0, 9, n)], mask=rng.random(n) < 0.1),
        }
    )


def test_rows_come_back_near_on_their_grid(tmp_path):
    train, test = mixed(4000, 1), mixed(400, 2)
    VectorCodec.fit(VectorConfig(), rows=[train.slice(0, 99), train.slice(99)]).save(tmp_path)
    codec = VectorCodec.load(tmp_path)
    encoded = codec.encode(test)
    assert encoded.values.dtype == np.float32 and encoded.values.shape == (400, codec.shape.size)
    back = codec.decode(encoded)
    assert back.schema == test.schema
    for name in ("stage", "flag", "word"):
        assert back.column(name).to_pylist() == test.column(name).to_pylist(), name
    assert np.abs(back.column("age").to_numpy() - test.column("age").to_numpy()).max() <= 1
    cents, true = back.column("cents"), test.column("cents")
    assert cents.is_null().equals(true.is_null())
    made, real = np.array(cents.drop_null()), np.array(true.drop_null())
    assert ((made == 0) == (real == 0)).all() and np.allclose(made, np.round(made, 2), atol=1e-9)
    assert np.median(np.abs(made - real)) <= 0.02


def test_numbers_are_normal_and_ends_are_reached():
    train = mixed(4000, 1)
    codec = VectorCodec.fit(VectorConfig(), rows=[train])
    names = [(column.name, column.kind, column.width) for column in codec.shape.columns]
    assert names == [
        ("day", "number", 1), ("age", "number", 1), ("cents", "number", 1), ("cents is", "category", 3),
        ("stage", "category", 5), ("flag", "category", 2), ("word", "category", 10),
    ]  # fmt: skip
    days = codec.encode(train).values[:, 0]
    assert abs(days.mean()) < 0.02 and abs(days.std() - 1) < 0.03
    extreme = np.repeat(codec.encode(train.slice(0, 1)).values, 2, axis=0)
    extreme[:, 0] = [-9.0, 9.0]
    reached = codec.decode(type(codec.encode(train.slice(0, 1)))(extreme)).column("day").to_pylist()
    assert reached == [min(train.column("day").to_pylist()), max(train.column("day").to_pylist())]


def test_given_and_unseen():
    codec = VectorCodec.fit(VectorConfig(max_categories=5), rows=[mixed(500, 1)])
    given = codec.encode_given(pa.table({"flag": [True, None], "age": [40, 50]}))
    width = codec.shape.size
    assert given.known.sum() == 2 + 2
    assert given.values.shape == given.known.shape == (2, width)
    with pytest.raises(DataError, match="no value"):
        codec.encode_given(pa.table({"word": ["w77"]}))
    rows = mixed(500, 1).set_column(5, "word", pa.array(["new"] * 500))
    assert codec.decode(codec.encode(rows)).column("word").null_count == 500


def test_constant_and_empty_columns():
    table = pa.table({"one": [7] * 30, "none": pa.array([None] * 30, pa.string()), "x": np.linspace(0, 1, 30)})
    codec = VectorCodec.fit(VectorConfig(), rows=[table])
    back = codec.decode(codec.encode(table))
    assert back.column("one").to_pylist() == [7] * 30 and back.column("none").null_count == 30
    assert np.abs(np.array(back.column("x")) - np.linspace(0, 1, 30)).max() < 0.2


def test_shared_values_come_back_exactly_and_lone_ones_never():
    rng = np.random.default_rng(5)
    shared = np.array([13.73189, 20.5, 7.25, 31.125])
    lone = np.round(rng.uniform(0, 40, 300), 5)
    table = pa.table({"x": np.concatenate((np.repeat(shared, 3), lone)), "group": [f"g{row}" for row in range(312)]})
    codec = VectorCodec.fit(VectorConfig(max_atoms=64), rows=[table])
    back = codec.decode(codec.encode(table)).column("x").to_numpy()
    assert (back[:12] == np.repeat(shared, 3)).all()
    assert np.isin(back[12:], lone).mean() < 0.2 and np.abs(back[12:] - lone).max() < 4.0
    drawn = rng.standard_normal((20_000, codec.shape.size)).astype(np.float32)
    made = codec.decode(Encoded(drawn)).column("x").to_numpy()
    assert abs(np.mean(made == 20.5) - 3 / 312) < 0.003


def test_one_person_s_own_value_is_never_drawn():
    numbers = np.concatenate((np.full(50, 41.5), np.linspace(0, 30, 200)))
    owners = ["rich"] * 50 + [f"g{row}" for row in range(200)]
    codec = VectorCodec.fit(VectorConfig(), rows=[pa.table({"x": numbers, "group": owners})])
    values = np.random.default_rng(1).standard_normal((400, codec.shape.size)).astype(np.float32)
    assert 41.5 not in codec.decode(Encoded(values)).column("x").to_pylist()
