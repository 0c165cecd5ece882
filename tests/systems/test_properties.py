"""Predictions from embeddings: intervals that cover, a domain that tells strange samples, and bytes that come back."""

import json

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError, IntegrityError, SpecError
from genwright.modalities.molecule.modality import MoleculeModality
from genwright.systems.manifest import PropertiesManifest
from genwright.systems.properties import PropertyHead, conformal, fit_head
from genwright.systems.told import told_rows

NOISE = 0.5


def sides(*counts):
    """Embeddings of six entries, and two numbers: a line with noise, and one that only half of the samples have."""
    rng = np.random.default_rng(0)
    slope = np.random.default_rng(1).normal(size=6)
    for count in counts:
        rows = rng.normal(size=(count, 6)) * (1, 2, 3, 4, 5, 6) + 10
        line = rows @ slope + NOISE * rng.normal(size=count)
        yield rows, np.stack((line, np.where(rng.random(count) < 0.5, line, np.nan)), axis=1)


@pytest.fixture(scope="module")
def fitted():
    train, calibration, test = sides(300, 400, 2000)
    return fit_head(train, calibration, manifest=PropertiesManifest(columns=("a", "b"))), test


def test_a_line_is_found_and_nine_in_ten_intervals_hold(fitted):
    head, (rows, actual) = fitted
    found = head.predict(rows)
    errors = np.abs(found.values - actual)
    assert np.nanmean(errors, axis=0) == pytest.approx([NOISE * 0.8, NOISE * 0.8], rel=0.1)
    covered = [(errors[:, at][np.isfinite(errors[:, at])] <= found.half_widths[at]).mean() for at in (0, 1)]
    assert covered == pytest.approx([0.9, 0.9], abs=0.04)


def test_what_is_far_from_training_is_outside(fitted):
    head, (rows, _) = fitted
    assert 0.9 < head.predict(rows).inside.mean() < 0.99
    assert not head.predict(rows + 60.0).inside.any()


def test_neighbours_are_averaged_and_follow_what_is_no_line():
    rng = np.random.default_rng(0)
    parts = [(rows := rng.normal(size=(count, 1)), np.abs(rows)) for count in (500, 200)]
    manifest = PropertiesManifest(columns=("a",), neighbours=5)
    head = fit_head(*parts, manifest=manifest)
    asked = np.array([[-1.0], [0.0], [1.0]])
    assert head.predict(asked, neighbours=5).values[:, 0] == pytest.approx([1, 0, 1], abs=0.1)
    assert np.ptp(head.predict(asked).values) < 0.6


def test_an_interval_that_too_few_samples_can_give_is_infinite():
    assert conformal(np.arange(19.0), coverage=0.95) == 18.0
    assert conformal(np.arange(18.0), coverage=0.95) == np.inf


def test_a_head_comes_back_and_a_broken_one_is_refused(fitted, tmp_path):
    head, (rows, _) = fitted
    head.save(tmp_path)
    first = (tmp_path / "properties.safetensors").read_bytes()
    again = PropertyHead.load(tmp_path)
    again.save(tmp_path)
    assert (tmp_path / "properties.safetensors").read_bytes() == first
    assert np.array_equal(again.predict(rows).values, head.predict(rows).values)
    (tmp_path / "properties.safetensors").write_bytes(first[:50])
    with pytest.raises(IntegrityError, match="cannot be read"):
        PropertyHead.load(tmp_path)


def test_samples_are_told_as_texts_objects_or_a_file(tmp_path):
    molecules = MoleculeModality()
    assert told_rows(["OCC", "c1ccccc1"], molecules)["smiles"].to_pylist() == ["CCO", "c1ccccc1"]
    assert told_rows([json.dumps({"smiles": "CCO"})], molecules)["smiles"].to_pylist() == ["CCO"]
    (tmp_path / "a.smi").write_text("OCC ethanol\n")
    assert told_rows([str(tmp_path / "a.smi")], molecules)["id"].to_pylist() == ["ethanol"]
    with pytest.raises(DataError, match="'C1CC' is no legal molecule: syntax"):
        told_rows(["CC", "C1CC"], molecules)
    with pytest.raises(DataError, match=r"has only smile: .*smiles"):
        told_rows(['{"smile": "CC"}'], molecules)

    class Nameless:
        name = "table"

        def validate(self, rows: pa.Table) -> list[None]:
            return [None] * len(rows)

    with pytest.raises(SpecError, match="no file and no JSON object"):
        told_rows(["CC"], Nameless())  # type: ignore[arg-type]
