"""What is a legal molecule, when two are the same, how far apart they are, and how they are shown."""

import math
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from rdkit import Chem, RDConfig

from genwright.modalities.molecule import properties
from genwright.modalities.molecule.modality import MoleculeModality

from .nci import smiles

MODALITY = MoleculeModality()


def rows(*texts):
    return pa.table({"smiles": list(texts)})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("c1ccccc1O", None),
        ("", "empty"),
        ("C1CC", "syntax"),
        ("C(", "syntax"),
        ("CC(C)(C)(C)C", "valence"),
        ("c1cccc1", "aromaticity"),
        ("CCO.CC", "several-fragments"),
        ("[Na]C", "element"),
        ("C*", "element"),
    ],
)
def test_faults_are_named(text, fault, capfd):
    assert MODALITY.validate(rows(text)) == [fault]
    assert capfd.readouterr().err == ""


def test_the_same_molecule_has_the_same_key_however_it_is_written():
    assert len(set(MODALITY.keys(rows("OCC", "CCO", "C(C)O")))) == 1
    assert MODALITY.keys(rows("C1CC", "")) == [b"C1CC", b""]


def test_the_nearest_is_the_most_similar_and_a_copy_lies_at_zero():
    distance, place = MODALITY.nearest(rows("c1ccccc1O", "C1CC"), rows("CCCCCC", "Cc1ccccc1O", "Oc1ccccc1"))
    assert distance.tolist() == [0.0, 1.0] and place[0] == 2


def test_synthetic_accessibility_is_that_of_the_reference_implementation(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(RDConfig.RDContribDir) / "SA_Score"))
    sascorer = __import__("sascorer")
    sascorer._fscores = properties.fragment_scores()  # so that it unpickles nothing
    for text in smiles(0, 60):
        mol = Chem.MolFromSmiles(text)
        assert math.isclose(properties.synthetic_accessibility(mol), sascorer.calculateScore(mol), rel_tol=1e-9)
    sys.modules.pop("sascorer")


def test_pictures_and_files(tmp_path):
    made = rows(*smiles(0, 6), "C1CC")
    picture = MODALITY.preview(made, tmp_path / "preview")
    assert picture.suffix == ".svg" and picture.read_text().count("<path") > 20
    assert MODALITY.preview(rows("C1CC"), tmp_path / "none").read_text().startswith("<?xml")
    smi, csv = MODALITY.write(made, tmp_path)
    assert smi.read_text().splitlines()[-1] == "C1CC"
    assert csv.read_text().splitlines()[0] == '"smiles","fault","logp","qed","weight"'
    assert csv.read_text().splitlines()[-1] == '"C1CC","syntax",,,'
