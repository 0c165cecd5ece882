"""Molecules from every kind of file, and what happens to what is none."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.molecule import reading
from genwright.modalities.molecule.config import MoleculeSourceConfig
from genwright.modalities.molecule.modality import MoleculeModality

BENZENE, ETHANOL = "C1=CC=CC=C1", "OCC"


def read(tmp_path, name, **settings):
    found = list(MoleculeModality().read(MoleculeSourceConfig(path=name, **settings), root=tmp_path))
    tables = [item for item in found if isinstance(item, pa.Table)]
    return pa.concat_tables(tables).to_pylist() if tables else [], [x for x in found if isinstance(x, Unreadable)]


def test_lines_of_smiles_become_canonical_rows_with_scaffolds_and_properties(tmp_path):
    (tmp_path / "a.smi").write_text(f"smiles\n{BENZENE}C benzene\n\n{ETHANOL}\n")
    rows, lost = read(tmp_path, "a.smi", properties=("logp", "weight", "qed", "sa"))
    assert [row["smiles"] for row in rows] == ["Cc1ccccc1", "CCO"]
    assert [row["id"] for row in rows] == ["benzene", "a.smi:line 4"]
    assert [row["group"] for row in rows] == ["c1ccccc1", "CCO"]
    assert rows[1]["weight"] == pytest.approx(46.07, abs=0.01) and rows[1]["logp"] == pytest.approx(-0.0014, abs=1e-4)
    assert 0 < rows[0]["qed"] < 1 <= rows[0]["sa"] < 3
    assert not lost
    rows, _ = read(tmp_path, "a.smi", group="molecule")
    assert rows[0]["group"] == "Cc1ccccc1"


def test_every_so_many_molecules_are_read(tmp_path):
    (tmp_path / "a.smi").write_text("smiles\nC\nCC\nCCC\nCCCC\nCCCCC\n")
    rows, _ = read(tmp_path, "a.smi", every=2)
    assert [(row["id"], row["smiles"]) for row in rows] == [
        ("a.smi:line 2", "C"),
        ("a.smi:line 4", "CCC"),
        ("a.smi:line 6", "CCCCC"),
    ]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "tsv", "parquet"])
def test_tables_keep_names_and_numbers(tmp_path, form):
    columns = {"name": ["x", "y"], "SMILES": [BENZENE, ETHANOL], "activity": [1.5, None]}
    text = "name,SMILES,activity\n" + f"x,{BENZENE},1.5\ny,{ETHANOL},\n"
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        data = (text.replace(",", "\t") if form == "tsv" else text).encode()
        path.write_bytes(gzip.compress(data) if form == "csv.gz" else data)
    rows, _ = read(tmp_path, path.name, id_column="name", columns=("activity",))
    assert [(row["id"], row["smiles"], row["activity"]) for row in rows] == [("x", "c1ccccc1", 1.5), ("y", "CCO", None)]
    with pytest.raises(DataError, match=r"no column 'pIC50' \(it has: name, SMILES, activity\)"):
        read(tmp_path, path.name, columns=("pIC50",))


def test_an_sdf_gives_molecules_titles_and_properties(tmp_path):
    with Chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for text, name in ((BENZENE, "ring"), (ETHANOL, "")):
            mol = Chem.MolFromSmiles(text)
            mol.SetProp("_Name", name)
            mol.SetProp("pka", "7.5")
            writer.write(mol)
    rows, _ = read(tmp_path, "a.sdf", columns=("pka",))
    assert [(row["id"], row["smiles"], row["pka"]) for row in rows] == [
        ("ring", "c1ccccc1", 7.5),
        ("a.sdf:molecule 2", "CCO", 7.5),
    ]


def test_what_is_no_molecule_stops_or_is_dropped_with_its_line(tmp_path, capfd):
    (tmp_path / "a.smi").write_text("CCO\nC1CC\nCC(C)(C)(C)C\n")
    with pytest.raises(DataError, match=r"a\.smi, line 2: 'C1CC' is no molecule"):
        read(tmp_path, "a.smi")
    rows, lost = read(tmp_path, "a.smi", on_error="drop")
    assert [row["smiles"] for row in rows] == ["CCO"]
    assert [(one.id, one.detail) for one in lost] == [("a.smi:line 2", "C1CC"), ("a.smi:line 3", "CC(C)(C)(C)C")]
    assert capfd.readouterr().err == ""


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as molecules"):
        read(tmp_path, "a.parquet")
    _, lost = read(tmp_path, "a.parquet", on_error="drop")
    assert [one.reason for one in lost] == ["unreadable"]


def test_no_more_is_read_than_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 3)
    (tmp_path / "a.smi").write_text("C\n" * 5 + "no molecule\n")
    blocks = MoleculeModality().read(MoleculeSourceConfig(path="a.smi"), root=tmp_path)
    assert len(next(blocks)) == 3  # the fault in line 6 is not met
    with pytest.raises(DataError, match="line 6"):
        list(blocks)
