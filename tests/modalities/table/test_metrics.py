"""Metrics tell real rows from shuffled and from copied ones, and survive rows that are not worth measuring."""

from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from genwright.core import DataError, SpecError
from genwright.core.protocols import Candidate
from genwright.measure import derive, read_arrays, read_scores, write_scores
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
    arrays = found.arrays.__getitem__
    return {(d.metric, d.label): derive(found.columns, derivation=d.derivation, arrays=arrays) for d in found.drafts}


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


def test_what_made_rows_lose_in_a_subgroup_is_paired_and_the_gap_is_between_subgroups(measured):
    at = {key: estimate.value for key, estimate in measured.items()}
    for part in ("north", "south"):
        lost = measured["tstr_difference_of_subgroup", f"subgroup {part}"]
        assert lost.high < -0.05 and "DeLong" in lost.method
        assert abs(at["tstr_difference_of_subgroup", f"floor; subgroup {part}"]) < 0.1
        real = at["tstr_auc_of_subgroup", f"floor; subgroup {part}"]
        assert at["tstr_auc_of_subgroup", f"subgroup {part}"] - lost.value == pytest.approx(
            real - at["tstr_difference_of_subgroup", f"floor; subgroup {part}"]
        ), "both are differences to what the same real rows teach"
    for label, prefix in (("", ""), ("floor", "floor; ")):
        areas = [at["tstr_auc_of_subgroup", f"{prefix}subgroup {part}"] for part in ("north", "south")]
        gap = measured["tstr_gap", label]
        assert gap.value == pytest.approx(max(areas) - min(areas))
        assert gap.low <= gap.value <= gap.high and "bootstrap" in gap.method


def illnesses(n, seed):
    """A target of three texts that follows from age; in the south only by half."""
    rows = patients(n, seed)
    age, rng = rows.column("age").to_numpy(), np.random.default_rng(seed + 100)
    lost = (rows.column("site").to_numpy(zero_copy_only=False) == "south") & (rng.random(n) < 0.5)
    kind = np.where(lost, rng.integers(0, 3, n), np.digitize(age, [40, 65]))
    return rows.append_column("illness", pa.array(np.array(["gout", "flu", "rash"])[kind]))


def test_a_target_of_three_texts_has_the_mean_area_of_one_against_the_rest():
    train, test = illnesses(500, 1), illnesses(500, 2)
    two = payload(train).filter(pc.not_equal(train.column("illness"), "rash"))
    candidates = [
        Candidate("system", "", shuffled(test)),
        Candidate("floor", "floor", payload(illnesses(500, 3))),
        Candidate("baseline", "two of three", two),
    ]
    found = values_of(candidates, train, test, target="illness", subgroup="site")
    assert found["tstr_macro_auc", ""].value < 0.65
    assert found["tstr_macro_auc", "floor"].value > 0.75
    assert 0.6 < found["tstr_macro_auc", "two of three"].value < found["tstr_macro_auc", "floor"].value
    assert found["tstr_difference", ""].high < -0.1
    assert found["tstr_difference", "floor"].low < 0.02 and found["tstr_difference", "floor"].high > -0.05
    north, south = (found["tstr_macro_auc_of_subgroup", f"floor; subgroup {part}"].value for part in ("north", "south"))
    assert north > south + 0.1
    assert found["tstr_gap", "floor"].value == pytest.approx(north - south)
    assert found["tstr_gap", "floor"].low > 0.05
    assert found["tstr_difference_of_subgroup", "subgroup north"].high < -0.1
    assert found["tstr_macro_auc", "floor"].low is not None and "DeLong" in found["tstr_macro_auc", "floor"].method


def test_claims_of_three_texts_derive_again_from_what_is_stored(tmp_path):
    train, test = illnesses(300, 1), illnesses(300, 2)
    config = TableMetricsConfig(target="illness", subgroup="site")
    candidates = [Candidate("system", "", payload(illnesses(300, 3)))]
    measured = TableModality().measure(candidates, train=train, test=test, config=config, seed=1)
    write_scores(tmp_path, measured.columns, arrays=measured.arrays)
    stored = read_scores(tmp_path)
    for draft in measured.drafts:
        now = derive(measured.columns, derivation=draft.derivation, arrays=measured.arrays.__getitem__)
        assert derive(stored, derivation=draft.derivation, arrays=partial(read_arrays, tmp_path)) == now


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
        ({"target": "word"}, "target: column 'word' has 30 values, and 20 are told apart"),
        ({"target": "one"}, "target: column 'one' has 1 values, and two are needed"),
        ({"target": "sick", "subgroup": "age"}, "subgroup: column 'age' has [0-9]+ values, and 20 are the most"),
        ({"target": "older", "subgroup": "age"}, "subgroup: column 'age' has"),
    ],
)
def test_columns_that_cannot_be_worked_on_are_named(settings, message):
    rows = patients(60, 1).append_column("word", pa.array([f"w{at % 30}" for at in range(60)]))
    rows = rows.append_column("one", pa.array(["a"] * 60))
    with pytest.raises(DataError, match=message) as error:
        values_of([Candidate("system", "", payload(rows))], rows, rows, **settings)
    assert error.value.hint or "no column" in message


def test_subgroups_of_numbers_and_rare_ones():
    train, test = (
        patients(300, seed).append_column("ward", pa.array([at % 3 for at in range(300)])) for seed in (1, 2)
    )
    found = values_of([Candidate("system", "", payload(train))], train, test, target="older", subgroup="ward")
    assert found["tstr_r2_of_subgroup", "subgroup 2"].value > 0.9, "a target of numbers has its subgroups, too"
    names = [f"s{max(0, at - 270):02}" for at in range(300)]
    train, test = (rows.append_column("place", pa.array(names)) for rows in (train, test))
    found = values_of([Candidate("system", "", payload(train))], train, test, target="sick", subgroup="place")
    parts = {label for metric, label in found if metric == "tstr_auc_of_subgroup"}
    assert len(parts) == 20 and "subgroup s00" in parts
    assert found["tstr_gap", ""].n == 0 or found["tstr_gap", ""].value is None, "no other has two rows"


def test_distances_count_missing_cells_and_categories_as_one():
    reference = pa.table({"x": [0.0, 2.0, 4.0], "w": ["a", "a", "b"], "m": [1.0, 1.0, None]})
    rows = pa.table({"x": [0.0, 2.0, 4.0], "w": ["b", "a", "c"], "m": [1.0, 1.0, None]})
    gaps, nearest = distances(rows, reference)
    assert gaps.tolist() == pytest.approx([1.0, 0.0, 1.0]) and nearest.tolist() == [0, 1, 2]
    assert gaps[1] == 0.0


def test_a_subgroup_without_a_target_is_refused():
    with pytest.raises(SpecError, match="there is no target"):
        TableMetricsConfig.parse({"subgroup": "site"}, where="evaluate.metrics")
