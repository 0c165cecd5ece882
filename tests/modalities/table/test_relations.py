"""Numbers that follow from others: found where they do, kept in what is made, left alone elsewhere."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.core.protocols import Encoded
from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.columns import numbers_of
from genwright.modalities.table.config import BinsConfig, VectorConfig
from genwright.modalities.table.relating import find_relations
from genwright.modalities.table.vector import VectorCodec

CODECS = [(BinsCodec, BinsConfig()), (VectorCodec, VectorConfig())]
LIMITS = (2.0, 4.0, 6.0, 9.0)


def bills(n: int, seed: int) -> pa.Table:
    """Bills: a total that is nearly months times rate, a class by the sum of two measures, a height in two units."""
    rng = np.random.default_rng(seed)
    months, rate = rng.integers(1, 73, n), np.round(rng.uniform(20, 120, n), 2)
    a, b = np.round(rng.gamma(3, 1, n), 2), np.round(rng.gamma(2, 1, n), 2)
    metres = np.round(rng.normal(1.7, 0.1, n), 2)
    return pa.table(
        {
            "id": [f"r{at}" for at in range(n)],
            "months": pa.array(months),
            "rate": pa.array(rate, mask=rng.random(n) < 0.05),
            "total": np.round(months * rate * np.where(months == 1, 1.0, rng.normal(1, 0.03, n)), 1),
            "a": a,
            "b": b,
            "class": pa.array(np.searchsorted(LIMITS, a + b) + 1),
            "metres": metres,
            "inches": np.round(metres / 0.0254, 1),
            "other": np.round(rng.normal(0, 1, n), 2),
            "kind": pa.array(rng.choice(["x", "y"], n)),
        }
    )


def own(rows: pa.Table) -> list[str]:
    return [name for name in rows.column_names if name != "id"]


def test_what_follows_is_found_and_nothing_else() -> None:
    rows = bills(1500, 1)
    found = {one.target: one for one in find_relations(rows, own(rows)).found}
    assert found.keys() == {"total", "class", "inches"} or found.keys() == {"total", "class", "metres"}
    assert {found["total"].left, found["total"].right} == {"months", "rate"} and found["total"].operation == "*"
    assert found["total"].ratio and found["total"].open
    assert {found["class"].left, found["class"].right} == {"a", "b"}
    assert np.allclose(found["class"].cuts, LIMITS, atol=0.1)
    rng = np.random.default_rng(0)
    mixed = pa.table({name: rows[name].take(pa.array(rng.permutation(len(rows)))) for name in own(rows)})
    assert not find_relations(mixed, own(mixed)).found
    assert not find_relations(rows.slice(0, 200), own(rows)).found


def test_a_column_that_one_other_tells_falls_too() -> None:
    rng = np.random.default_rng(2)
    born = rng.integers(1930, 2000, 800)
    rows = pa.table({"born": born, "age": 2020 - born, "part": (born - 1930) // 14})
    found = find_relations(rows, rows.column_names)
    assert {one.target for one in found.found} <= {"born", "age", "part"} and len(found.found) == 2
    back = found.join(found.split(rows))
    assert back.select(rows.column_names).equals(rows)


def test_values_that_are_mostly_nothing_are_no_relation() -> None:
    rng = np.random.default_rng(3)
    days = np.where(rng.random(3000) < 0.9, 0, rng.integers(1, 30, 3000))
    costs = np.where(days == 0, 0.0, np.round(rng.gamma(2, 500, 3000), 2))
    rows = pa.table({"days": days, "costs": costs, "limit": np.round(rng.uniform(1, 2, 3000), 2)})
    rows = rows.append_column("stays", pa.array(np.where(days == 0, 0, 1 + rng.integers(0, 3, 3000))))
    assert not find_relations(rows, rows.column_names).found


def test_all_of_a_relation_comes_back() -> None:
    rows = bills(1500, 1)
    found = find_relations(rows, own(rows))
    back = found.join(found.split(rows))
    for name in own(rows):
        known = rows[name].is_valid().to_numpy()
        assert back[name].is_valid().to_numpy().tolist() == known.tolist()
        if name not in ("kind",):
            a, b = (numbers_of(table[name])[known] for table in (back, rows))
            assert np.abs(a - b).max() <= 0.1 + 1e-9, name
    assert back["class"].equals(rows["class"])


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_made_rows_keep_what_follows(tmp_path, codec, config) -> None:
    codec.fit(config, rows=[bills(1500, 1)]).save(tmp_path)
    fitted = codec.load(tmp_path)
    test = fitted.encode(bills(300, 2)).values
    rng = np.random.default_rng(3)
    entries = np.stack([column[rng.permutation(len(test))] for column in test.T], axis=1)
    made = fitted.decode(Encoded(entries))
    assert made.column_names == own(bills(2, 1)) and made.schema.types == bills(2, 1).drop_columns(["id"]).schema.types
    a, b, levels = (numbers_of(made[name]) for name in ("a", "b", "class"))
    assert (np.searchsorted(LIMITS, a + b) + 1 == levels).mean() > 0.97
    months, rate, total = (numbers_of(made[name]) for name in ("months", "rate", "total"))
    both = ~(np.isnan(rate) | np.isnan(total))
    inside = (total[both] > 21) & (total[both] < 8000)
    assert np.abs(total[both] / (months * rate)[both] - 1)[inside].max() < 0.25
    real = fitted.decode(fitted.encode(bills(300, 2)))
    alone = real["rate"].is_null().to_numpy()
    assert alone.any() and not real["total"].is_null().to_numpy()[alone].any()
    assert np.allclose(np.round(total[~np.isnan(total)], 1), total[~np.isnan(total)])
    assert total[both].min() >= numbers_of(bills(1500, 1)["total"]).min()


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_a_target_is_given_with_what_it_follows_from(codec, config) -> None:
    fitted = codec.fit(config, rows=[bills(1500, 1)])
    given = fitted.encode_given(pa.table({"months": [10], "rate": [50.0], "total": [510.0]}))
    free = fitted.encode(bills(1, 5)).values
    row = fitted.decode(Encoded(np.where(given.known, given.values, free))).to_pylist()[0]
    assert abs(row["total"] / 510 - 1) < 0.05
    with pytest.raises(DataError, match=r"'total' is given without .*months"):
        fitted.encode_given(pa.table({"months": [10], "total": [510.0]}))
    apart = codec.fit(config.model_copy(update={"relations": "off"}), rows=[bills(1500, 1)])
    assert apart.encode_given(pa.table({"months": [10], "total": [510.0]})).known.any()


@pytest.mark.parametrize(("codec", "config"), CODECS)
def test_given_numbers_stand_as_given_beyond_the_train_split_too(codec, config) -> None:
    fitted = codec.fit(config, rows=[bills(1500, 1)])
    told = {
        "months": [10, None],
        "rate": [50.125, None],
        "total": [99999.5, None],
        "other": [1.2345, 77.0],
        "kind": ["x", None],
    }
    given = fitted.encode_given(pa.table(told))
    made = Encoded(np.where(given.known, given.values, fitted.encode(bills(2, 5)).values))
    one, two = fitted.decode_given(made, pa.table(told)).to_pylist()
    assert {name: one[name] for name in told} == {name: cells[0] for name, cells in told.items()}
    free = fitted.decode(made).to_pylist()[1]
    assert two == free | {"other": 77.0}
    assert fitted.decode(made).to_pylist()[0]["other"] != 1.2345  # what the codec itself gives back
