"""Columns in order, combinations and keys: kept by construction, whatever entries a family makes up."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError, SpecError
from genwright.core.protocols import Candidate, Encoded
from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.config import BinsConfig, TableMetricsConfig, TableSourceConfig, VectorConfig
from genwright.modalities.table.metrics import measure
from genwright.modalities.table.modality import TableModality
from genwright.modalities.table.rules import Rules
from genwright.modalities.table.vector import VectorCodec

RULES = Rules(ordered=(("came", "went"), ("low", "mid", "high")), together=(("town", "country"),), keys=("number",))
PLACES = (("Bern", "CH"), ("Chur", "CH"), ("Rome", "IT"), ("Bari", "IT"))
CODECS = [(BinsCodec, BinsConfig(max_levels=16, sub_levels=8)), (VectorCodec, VectorConfig())]


def stays(n: int, seed: int) -> pa.Table:
    """Stays with dates, three floats in order, a town with its country (one of them once only), and a number."""
    rng = np.random.default_rng(seed)
    came = rng.integers(18_000, 18_300, n)
    went = came + rng.geometric(0.2, n) - 1
    places = [PLACES[at] for at in rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])]
    places[0] = ("Rare", "XX")
    low = np.round(rng.normal(5, 2, n), 1)
    mid = np.round(low + rng.gamma(1.0, 1.0, n), 2)
    table = pa.table(
        {
            "id": [f"r{at}" for at in range(n)],
            "group": [f"r{at}" for at in range(n)],
            "number": pa.array(rng.permutation(n) + 100),
            "came": pa.array(came, mask=rng.random(n) < 0.1).cast(pa.int32()).cast(pa.date32()),
            "went": pa.array(went, mask=rng.random(n) < 0.1).cast(pa.int32()).cast(pa.date32()),
            "low": low,
            "mid": pa.array(mid, mask=rng.random(n) < 0.1),
            "high": mid + 1.5,
            "town": [place[0] for place in places],
            "country": [place[1] for place in places],
            "flag": pa.array(rng.random(n) < 0.5),
        }
    )
    return RULES.attach(table)


def made_up(codec, n: int) -> Encoded:
    """Entries that know nothing of the table."""
    rng = np.random.default_rng(7)
    if codec.representation == "vector":
        return Encoded(2.0 * rng.standard_normal((n, codec.shape.size)).astype(np.float32))
    return Encoded(np.stack([rng.integers(first, first + count, n) for first, count in codec.shape.cells], axis=1))


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_whatever_is_made_keeps_to_the_rules(tmp_path, codec, config) -> None:
    codec.fit(config, rows=[stays(600, 1).slice(0, 99), stays(600, 1).slice(99)]).save(tmp_path)
    fitted = codec.load(tmp_path)
    blocks = [fitted.decode(made_up(fitted, 300)) for _ in range(2)]
    made = fitted.with_keys(pa.concat_tables(blocks))
    assert made.column_names == stays(2, 1).column_names[2:]
    assert [made.schema.field(name).type for name in made.column_names] == stays(600, 1).schema.types[2:]
    assert Rules.of(made) == RULES and not RULES.out_of_order(made).any()
    for low, high in RULES.pairs:
        both = [(a, b) for a, b in zip(made[low].to_pylist(), made[high].to_pylist(), strict=True) if a and b]
        assert len(both) > 100 and all(a <= b for a, b in both)
    assert all(made[name].null_count for name in ("came", "went", "mid"))
    assert set(zip(made["town"].to_pylist(), made["country"].to_pylist(), strict=True)) == set(PLACES)
    assert made["number"].to_pylist() == list(range(1000, 1600))
    assert (np.round(np.array(made["mid"].drop_null()), 2) == np.array(made["mid"].drop_null())).all()


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_real_rows_come_back(codec, config) -> None:
    fitted = codec.fit(config, rows=[stays(600, 1)])
    test = stays(100, 2)
    back = fitted.decode(fitted.encode(test))
    for name in ("town", "country"):
        assert back[name].to_pylist()[1:] == test[name].to_pylist()[1:]
    assert (back["town"][0].as_py(), back["country"][0].as_py()) == ("Bern", "CH")
    for name in ("came", "went", "mid"):
        assert back[name].is_null().equals(test[name].is_null())
    both = [(a, b) for a, b in zip(back["went"].to_pylist(), test["went"].to_pylist(), strict=True) if a]
    assert np.median([abs((a - b).days) for a, b in both]) <= 6


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_what_is_given_is_known_in_derived_columns(codec, config) -> None:
    fitted = codec.fit(config, rows=[stays(600, 1)])
    day = dt.date(2019, 8, 1)
    given = fitted.encode_given(pa.table({"came": [day], "went": [day + dt.timedelta(3)], "town": ["Rome"]}))
    assert given.known.any() and not given.known.all()
    made = np.where(given.known, given.values, made_up(fitted, 1).values)
    row = fitted.decode(Encoded(made)).to_pylist()[0]
    assert row["town"] == "Rome" and row["country"] == "IT"
    assert abs((row["came"] - day).days) <= 6 and abs((row["went"] - row["came"]).days - 3) <= 1
    for body, why in (
        ({"went": [day]}, "without 'came'"),
        ({"came": [day], "went": [day - dt.timedelta(3)]}, "below 'came'"),
        ({"country": ["CH"]}, "2 combinations"),
        ({"town": ["Rome"], "country": ["CH"]}, "no combination"),
        ({"number": [4]}, "is a key"),
    ):
        with pytest.raises(DataError, match=why):
            fitted.encode_given(pa.table(body))


def write(folder, text: str) -> TableSourceConfig:
    (folder / "t.csv").write_text(text)
    return TableSourceConfig.parse(
        {"path": "t.csv", "licence": "x", "ordered": [["a", "b"]], "together": [["u", "v"]], "keys": ["k"]},
        where="source",
    )


def test_rules_are_read_with_the_rows_and_broken_rows_are_told(tmp_path) -> None:
    source = write(tmp_path, "k,a,b,u,v\n1,1,2,x,y\n2,3,2,x,y\n3,,2,x,y\n4,5,,x,z\n")
    (rows,) = TableModality().read(source, root=tmp_path)
    assert Rules.of(rows.slice(1, 2)) == Rules((("a", "b"),), (("u", "v"),), ("k",))
    assert TableModality().validate(rows) == [None, "not-ordered", None, None]
    keys = TableModality().keys(rows.take([0, 0]).set_column(2, "k", pa.array([8, 9])))
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("k,a,b,u\n1,1,2,x\n", "'v', which is not there"),
        ("k,a,b,u,v\n1,1,2,x,y\n1,1,2,x,y\n", "no key"),
        ("k,a,b,u,v\n1,1,2020-01-01,x,y\n", "cannot be in order"),
        ("k,a,b,u,v\n1.5,1,2,x,y\n", "neither whole numbers nor texts"),
    ],
)
def test_rules_that_make_no_sense_are_named(tmp_path, text, why) -> None:
    with pytest.raises(DataError, match=why):
        list(TableModality().read(write(tmp_path, text), root=tmp_path))


def test_a_column_is_in_one_rule() -> None:
    with pytest.raises(SpecError, match="two rules"):
        TableSourceConfig.parse({"path": "t.csv", "licence": "x", "ordered": [["a", "b"]], "keys": ["a"]}, where="s")
    with pytest.raises(SpecError, match="no two columns"):
        TableSourceConfig.parse({"path": "t.csv", "licence": "x", "together": [["a"]]}, where="s")


def test_a_combination_must_be_held_by_three_groups() -> None:
    with pytest.raises(DataError, match="0 combinations"):
        BinsCodec.fit(BinsConfig(), rows=[stays(2, 1)])


def test_measured_rows_are_told_apart_by_what_they_break() -> None:
    train, test = stays(200, 1), stays(100, 2)
    body = test.drop_columns(["id", "group"])
    bad = body.set_column(body.column_names.index("country"), "country", pa.array(["XX"] * 100))
    twice = body.set_column(body.column_names.index("number"), "number", pa.array([7] * 100))
    made = [Candidate(name, name, rows) for name, rows in (("system", body), ("bad", bad), ("twice", twice))]
    found = measure(made, train=train, test=test, config=TableMetricsConfig(max_rows=60, folds=2), seed=1)
    held = {name: [] for name in ("system", "bad", "twice")}
    for table, name, value in zip(*(found.columns[key] for key in ("table", "candidate", "value")), strict=True):
        if table == "rules":
            held[name].append(value)
    assert sum(held["bad"]) == sum(held["twice"]) == 0 and len(held["bad"]) == 60
    assert "constraints_held" in {draft.metric for draft in found.drafts}
    assert "number" not in {column for column in found.columns["column"] if column}


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_given_numbers_stand_and_what_is_above_them_is_told_from_them(codec, config) -> None:
    fitted = codec.fit(config, rows=[stays(600, 1)])
    told = pa.table({"low": pa.array([40.0, 3.3] * 50), "town": ["Bern"] * 100})
    given = fitted.encode_given(told)
    made = Encoded(np.where(given.known, given.values, made_up(fitted, 100).values))
    rows = fitted.decode_given(made, told)
    assert rows["low"].to_pylist() == told["low"].to_pylist() and set(rows["town"].to_pylist()) == {"Bern"}
    assert not Rules.of(rows).out_of_order(rows).any()
