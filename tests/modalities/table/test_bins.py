"""Rows as tokens: what comes back, and what cannot."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.config import BinsConfig, VectorConfig
from genwright.modalities.table.vector import VectorCodec


def mixed(n, seed):
    """Every type: dates, whole days, times of day, tens, cents with a spike, flags, texts; some missing."""
    rng = np.random.default_rng(seed)
    days = rng.integers(15_000, 16_000, n)
    cents = np.where(rng.random(n) < 0.3, 0.0, np.round(rng.gamma(2.0, 1.0, n), 2))
    gone = rng.random(n) < 0.1
    return pa.table(
        {
            "day": pa.array(days).cast(pa.int32()).cast(pa.date32()),
            "time": pa.array(days * 86_400_000_000).cast(pa.timestamp("us")),
            "clock": pa.array(rng.integers(0, 1440, n) * 60_000_000).cast(pa.time64("us")),
            "tens": pa.array(rng.integers(-90, 90, n) * 10),
            "cents": pa.array(cents, mask=gone),
            "flag": pa.array(rng.random(n) < 0.5, mask=gone),
            "word": pa.array([f"w{word}" for word in rng.integers(0, 9, n)], mask=rng.random(n) < 0.1),
            "share": pa.array(rng.random(n)),
        }
    )


def test_what_has_a_grid_comes_back_exactly_with_its_type(tmp_path):
    train = mixed(4000, 1)
    BinsCodec.fit(BinsConfig(), rows=[train.slice(0, 100), train.slice(100)]).save(tmp_path)
    codec = BinsCodec.load(tmp_path)
    back = codec.decode(codec.encode(train))
    assert back.schema == train.schema
    for name in ("day", "time", "clock", "tens", "flag", "word", "cents"):
        assert back.column(name).to_pylist() == train.column(name).to_pylist(), name
    share, true = back.column("share").to_numpy(), train.column("share").to_numpy()
    assert np.abs(share - true).max() < 1 / 250  # a range holds at least three of 4,000 rows
    assert len(np.unique(share)) > 500


def test_ids_stay_in_their_cells_and_any_ids_decode():
    codec = BinsCodec.fit(BinsConfig(max_levels=20, sub_levels=8), rows=[mixed(1000, 1)])
    ids = codec.encode(mixed(500, 2)).values
    first, count = np.array(codec.shape.cells).T
    assert ((ids >= first) & (ids < first + count)).all()
    assert first[0] == 0 and (first[1:] == (first + count)[:-1]).all() and codec.shape.bos_id == (first + count)[-1]
    rng = np.random.default_rng(0)
    drawn = codec.decode(type(codec.encode(mixed(1, 1)))(first + rng.integers(0, count, (500, len(count)))))
    again = codec.decode(codec.encode(drawn))
    assert (codec.encode(again).values == codec.encode(drawn).values)[:, :-2].all()
    assert codec.decode(codec.encode(drawn)).equals(again)


def test_made_numbers_are_spread_over_their_ranges_by_the_rest_of_the_row():
    rng = np.random.default_rng(4)
    table = pa.table({"x": np.round(rng.uniform(0, 1000, 4000), 3), "y": rng.integers(0, 50, 4000)})
    codec = BinsCodec.fit(BinsConfig(max_levels=8, sub_levels=4), rows=[table])
    made = codec.decode(codec.encode(table)).column("x").to_numpy()
    assert len(np.unique(made)) > 400  # of some 20 ranges, each beside 50 values of y
    assert abs(made.mean() - 500) < 15 and abs(np.std(made) - 1000 / 12**0.5) < 15


def test_long_tails_are_within_a_place_of_their_bin_and_keep_their_decimals():
    rng = np.random.default_rng(0)
    values = np.round(rng.lognormal(5, 1.5, 20_000), 2)
    codec = BinsCodec.fit(BinsConfig(), rows=[pa.table({"x": values})])
    back = codec.decode(codec.encode(pa.table({"x": values}))).column("x").to_numpy()
    assert np.allclose(back, np.round(back, 2), atol=1e-9)
    inner = (values > np.quantile(values, 0.02)) & (values < np.quantile(values, 0.98))
    assert np.abs(np.log(back / values))[inner].max() < 0.05


def test_what_many_share_comes_back_and_what_one_has_alone_does_not():
    rng = np.random.default_rng(0)
    shared = np.round(rng.random(300) * 1000, 5)
    alone = np.round(rng.random(3000) * 1000, 5)
    values = np.concatenate((np.repeat(shared, 10), alone))
    groups = [f"g{at}" for at in range(3000)] + [f"a{at}" for at in range(3000)]
    train = pa.table({"group": groups, "x": values})
    codec = BinsCodec.fit(BinsConfig(), rows=[train])
    back = codec.decode(codec.encode(train)).column("x").to_numpy()
    assert (back[:3000] == values[:3000]).all()
    assert np.isin(back[3000:], alone).mean() < 0.01
    assert np.abs(back - values).max() < 20
    # The same value ten times, but each by one person only: nobody else holds it.
    owned = pa.table({"group": np.repeat([f"p{at}" for at in range(300)], 10).tolist() + groups[3000:], "x": values})
    codec = BinsCodec.fit(BinsConfig(), rows=[owned])
    assert np.isin(codec.decode(codec.encode(owned)).column("x").to_numpy(), shared).mean() < 0.02


def test_unseen_and_given_values():
    codec = BinsCodec.fit(BinsConfig(), rows=[mixed(1000, 1)])
    asked = pa.table(
        {"day": ["2013-01-01", None], "clock": ["09:15", None], "tens": [100, 99_999], "word": ["w3", None]}
    )
    given = codec.encode_given(asked)
    back = codec.decode(given)
    assert back.column("day")[0].as_py() == datetime.date(2013, 1, 1)
    assert back.column("clock")[0].as_py() == datetime.time(9, 15)
    assert back.column("tens").to_pylist() == [100, 890]
    words = pa.table({"word": ["w3", None]})
    assert codec.encode_given(words).known.sum() == 1 and codec.encode_given(asked).known[1].sum() == 2
    for strange, message in (
        ({"word": ["w77"]}, "column 'word' has no value 'w77'"),
        ({"height": [1]}, "no column 'height'"),
        ({"tens": ["many"]}, "a cell of column 'tens' is no whole number"),
        ({"clock": ["noon"]}, "a cell of column 'clock' is no time of day such as 14:30"),
        ({"day": ["24.12.2013"]}, "a cell of column 'day' is no date such as"),
    ):
        with pytest.raises(DataError, match=message):
            codec.encode_given(pa.table(strange))


def test_rare_texts_constant_and_empty_columns():
    table = pa.table(
        {
            "one": [7] * 1000,
            "name": [f"name {n // 3}" for n in range(999)] + [None],
            "only": ["x"] * 3 + ["y"] * 997,
            "none": pa.array([None] * 1000, pa.float64()),
        }
    )
    codec = BinsCodec.fit(BinsConfig(max_categories=10), rows=[table])
    encoded = codec.encode(table)
    back = codec.decode(encoded)
    assert set(back.column("one").to_pylist()) == {7}
    assert len(back.column("name").drop_null()) == 30 and back.column("only").to_pylist()[0] == "x"
    assert back.column("none").null_count == 1000
    place = codec.shape.cells[1][0]
    assert encoded.values[999, 1] == place and (encoded.values[:, 1] == place + 11).sum() == 969


@pytest.mark.parametrize(("codec", "config"), [(BinsCodec, BinsConfig()), (VectorCodec, VectorConfig())])
def test_a_text_that_fewer_than_three_groups_hold_never_comes_back(codec, config):
    """However often it stands there: all rows of a person are one group."""
    table = pa.table(
        {
            "name": ["Ada"] * 40 + ["Bob"] * 2 + ["Cy"] * 8,
            "yes": [True] + [False] * 49,
            "own": [f"number {n}" for n in range(50)],
            "group": ["a"] * 20 + ["b"] * 20 + [f"g{n}" for n in range(10)],
        }
    )
    fitted = codec.fit(config, rows=[table])
    back = fitted.decode(fitted.encode(table))
    assert set(back.column("name").to_pylist()) == {None, "Cy"}
    assert back.column("yes").to_pylist() == table.column("yes").to_pylist()
    assert back.column("own").null_count == 50


def test_the_same_rows_give_the_same_codec(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        BinsCodec.fit(BinsConfig(), rows=[mixed(500, 1)]).save(tmp_path / name)
    assert (tmp_path / "a/codec.json").read_bytes() == (tmp_path / "b/codec.json").read_bytes()


def test_small_numbers_have_more_decimals_than_large_ones_as_they_had() -> None:
    rng = np.random.default_rng(3)
    small, large = np.round(rng.uniform(0, 1, 3000), 4), np.round(rng.uniform(1, 90, 3000), 1)
    codec = BinsCodec.fit(BinsConfig(max_levels=16, sub_levels=8), rows=[pa.table({"x": np.r_[small, large]})])
    made = codec.decode(codec.encode(pa.table({"x": np.r_[small, large]}))).column("x").to_numpy()
    above = made[made > 2]
    assert np.allclose(above, np.round(above, 1), atol=1e-9)
    assert (np.abs(made[made < 0.9] - np.round(made[made < 0.9], 1)) > 1e-6).mean() > 0.8


def test_one_odd_value_does_not_take_the_decimals_of_all() -> None:
    values = np.r_[np.round(np.random.default_rng(3).uniform(0, 50, 3000), 2), 17.123456789]
    codec = BinsCodec.fit(BinsConfig(max_levels=16, sub_levels=8), rows=[pa.table({"x": values})])
    made = codec.decode(codec.encode(pa.table({"x": values}))).column("x").to_numpy()
    assert np.allclose(made, np.round(made, 2), atol=1e-9)
