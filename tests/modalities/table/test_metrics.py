"""Metrics tell real rows from shuffled and from copied ones, and survive rows that are not worth measuring."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.core.protocols import Candidate
from genwright.measure import derive
from genwright.modalities.table.config import TableMetricsConfig
from genwright.modalities.table.matrix import distances
from genwright.modalities.table.modality import TableModality


def patients(n, seed, per_group=1):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    cost = np.where(rng.random(n) < 0.3, 0.0, np.round(rng.gamma(2.0, 4.0, n) + 3 * age, 2))
    sick = rng.random(n) < (age > 50) * 0.8 + 0.1
    return pa.table(
        {
            "id": [f"{seed}:{row}" for row in range(n)],
            "group": [f"{seed}:{row // per_group}" for row in range(n)],
            "age": pa.array(age),
            "cost": pa.array(cost, mask=rng.random(n) < 0.1),
            "sick": pa.array(np.where(sick, "yes", "no")),
            "older": pa.array(age + rng.integers(0, 3, n)),
            "site": pa.array(np.where(rng.random(n) < 0.3, "north", "south")),
        }
    )


def payload(rows):
    return rows.drop_columns(["id", "group"])


def shuffled(rows, seed=0):
    rng = np.random.default_rng(seed)
    names = payload(rows).column_names
    return pa.table({name: rows.column(name).take(pa.array(rng.permutation(len(rows)))) for name in names})


def values_of(candidates, train, test, **settings):
    found = TableModality().measure(candidates, train=train, test=test, config=TableMetricsConfig(**settings), seed=1)
    return {(d.metric, d.label): derive(found.columns, derivation=d.derivation) for d in found.drafts}


@pytest.fixture(scope="module")
def measured():
    train, test = patients(600, 1), patients(600, 2)
    candidates = [
        Candidate("system", "", shuffled(test)),
        Candidate("floor", "floor", payload(patients(600, 3))),
        Candidate("copy", "copy", payload(train)),
    ]
    return values_of(candidates, train, test, target="sick", subgroup="site")


def test_shuffled_columns_are_found_out(measured):
    at = {key: estimate.value for key, estimate in measured.items()}
    assert at["c2st_auc", ""] > 0.9 and abs(at["c2st_auc", "floor"] - 0.5) < 0.08
    assert at["column_shapes", ""] > 0.99 and at["pair_trends", ""] < at["pair_trends", "floor"] - 0.1
    both = (at["column_shapes", ""] + at["pair_trends", ""]) / 2
    assert at["shapes_and_trends", ""] == pytest.approx(both)
    assert at["coverage", ""] < at["coverage", "floor"] - 0.1 and at["coverage", "floor"] > 0.9
    assert at["tstr_difference", ""] < -0.1 < at["tstr_difference", "floor"]
    assert at["tstr_auc_of_subgroup", "floor; subgroup north"] > 0.7
    assert at["tstr_auc_of_subgroup", "subgroup south"] < 0.65


def test_copies_are_found_out(measured):
    at = {key: estimate.value for key, estimate in measured.items()}
    assert at["membership_auc", "copy"] > 0.9 and abs(at["membership_auc", "floor"] - 0.5) < 0.08
    assert at["closer_to_train_share", "copy; no evidence of privacy"] > 0.95
    assert abs(at["closer_to_train_share", "floor; no evidence of privacy"] - 0.5) < 0.08
    auc = measured["membership_auc", "floor"]
    assert auc.low < auc.value < auc.high and "DeLong" in auc.method


def test_numbers_as_target_and_groups_of_rows():
    train, test = patients(400, 1, per_group=2), patients(400, 2, per_group=2)
    candidates = [Candidate("system", "", shuffled(test)), Candidate("floor", "floor", payload(patients(400, 3)))]
    found = values_of(candidates, train, test, target="older")
    assert found["tstr_r2", "floor"].value > 0.95 and found["tstr_r2_of_real_rows", "floor"].value > 0.95
    assert found["tstr_r2", ""].value < 0.3
    assert "clusters by group" in found["c2st_auc", ""].method


def test_rows_that_are_all_alike_or_few_are_measured_too():
    train, test = patients(200, 1), patients(100, 2)
    same = payload(test).take(pa.array([0] * 100))
    nothing = pa.table(
        {name: pa.array([None] * 100, kind) for name, kind in zip(same.column_names, same.schema.types, strict=True)}
    )
    few = payload(test).slice(0, 3)
    candidates = [Candidate("system", "", same), Candidate("floor", "none", nothing), Candidate("copy", "few", few)]
    found = values_of(candidates, train, test, target="sick")
    assert found["c2st_auc", ""].value > 0.9 and found["tstr_auc", ""].value == 0.5
    assert found["coverage", ""].value < 0.2 and ("c2st_auc", "few") not in found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "height"}, "target: the table has no column 'height'"),
        ({"target": "word"}, "target: column 'word' has 3 values"),
        ({"target": "sick", "subgroup": "age"}, "subgroup: column 'age' has"),
    ],
)
def test_columns_that_cannot_be_worked_on_are_named(settings, message):
    rows = patients(60, 1).append_column("word", pa.array(["a", "b", "c"] * 20))
    with pytest.raises(DataError, match=message):
        values_of([Candidate("system", "", payload(rows))], rows, rows, **settings)


def test_distances_count_missing_cells_and_categories_as_one():
    reference = pa.table({"x": [0.0, 2.0, 4.0], "w": ["a", "a", "b"], "m": [1.0, 1.0, None]})
    rows = pa.table({"x": [0.0, 2.0, 4.0], "w": ["b", "a", "c"], "m": [1.0, 1.0, None]})
    gaps, nearest = distances(rows, reference)
    assert gaps.tolist() == pytest.approx([1.0, 0.0, 1.0]) and nearest.tolist() == [0, 1, 2]
    assert gaps[1] == 0.0
