"""Molecules: files, validity, distance, pictures; `metrics` measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from rdkit.Chem.Draw import rdMolDraw2D

from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.molecule.chemistry import BITS, canonical, fault, fingerprints, most_similar, parsed, quiet
from genwright.modalities.molecule.config import MoleculeMetricsConfig, MoleculeSourceConfig
from genwright.modalities.molecule.metrics import check_asked, measure
from genwright.modalities.molecule.properties import UNITS, properties_of, property_of
from genwright.modalities.molecule.reading import read_molecules

PICTURES, ACROSS, SIDE = 20, 5, 200
WRITTEN = ("logp", "qed", "weight")


class MoleculeModality:
    """Rows of a `smiles` and perhaps numbers."""

    name = "molecule"
    suffix = "smi"
    computes = tuple(UNITS)

    def read(self, source: MoleculeSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """Tables of at most 2,048 molecules; see `genwright.modalities.molecule.reading`.

        Raises:
            DataError: a file cannot be read, or holds what is no molecule.
        """
        yield from read_molecules(source, root=root)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """Legal is what rdkit sanitises, of one fragment, of H B C N O F Si P S Cl Se Br I."""
        return [fault(smiles) for smiles in _smiles(rows)]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The canonical SMILES; the text itself of what is no molecule."""
        return [(canonical(smiles) or smiles).encode() for smiles in _smiles(rows)]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """1 minus the Tanimoto similarity of Morgan bits (radius 2, 1,024 places); 1 for what is no molecule."""
        ours, theirs = (fingerprints([parsed(smiles) for smiles in _smiles(table)]) for table in (rows, reference))
        similarity, place = most_similar(ours, theirs)
        return 1.0 - similarity, place

    def features(self, rows: pa.Table) -> NDArray[np.float64]:
        """Morgan bits (radius 2, 1,024 places) as numbers: what properties are commonly predicted from."""
        bits = fingerprints([parsed(smiles) for smiles in _smiles(rows)])
        return np.array([list(one) for one in bits], dtype=np.float64).reshape(-1, BITS)

    def compute(self, names: Sequence[str], rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Those of `computes`, of rows that are legal molecules."""
        mols = [mol for smiles in _smiles(rows) if (mol := parsed(smiles)) is not None]
        assert len(mols) == len(rows), "rows of a dataset are legal"
        return properties_of(names, mols)

    def parse(self, texts: Sequence[str]) -> pa.Table:
        """A row per SMILES, in rdkit's canonical form where it is one."""
        return pa.table({"smiles": pa.array([canonical(text) or text for text in texts], pa.string())})

    def check_metrics(self, config: MoleculeMetricsConfig, *, train: pa.Table, test: pa.Table) -> None:
        """Whether the numbers that samples are asked for are there.

        Raises:
            DataError: they are not.
        """
        del train
        check_asked(test, config)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: MoleculeMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.molecule.metrics`."""
        return measure(candidates, train=train, test=test, config=config, seed=seed)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """A grid of the first legal molecules with QED and logP, as SVG."""
        mols = [mol for text in _smiles(rows.slice(0, 10 * PICTURES)) if (mol := parsed(text)) is not None][:PICTURES]
        target = path.with_suffix(".svg")
        across = max(1, min(ACROSS, len(mols)))
        drawing = rdMolDraw2D.MolDraw2DSVG(across * SIDE, max(1, -(-len(mols) // across)) * SIDE, SIDE, SIDE)
        labels = [f"QED {property_of('qed', mol):.2f}, logP {property_of('logp', mol):.1f}" for mol in mols]
        with quiet():
            if mols:
                drawing.DrawMolecules(mols, legends=labels)
            drawing.FinishDrawing()
        target.write_text(drawing.GetDrawingText(), encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """`samples.smi`, and `samples.csv` with why a text is no molecule, or logP, QED and weight of one that is."""
        texts = _smiles(rows)
        (folder / "samples.smi").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        mols = [None if fault(text) else parsed(text) for text in texts]
        columns = {"smiles": texts, "fault": self.validate(rows)}
        numbers = {name: [None if mol is None else property_of(name, mol) for mol in mols] for name in WRITTEN}
        csv.write_csv(pa.table({**columns, **numbers}), folder / "samples.csv")
        return (folder / "samples.smi", folder / "samples.csv")


def _smiles(rows: pa.Table) -> list[str]:
    return [text or "" for text in rows.column("smiles").to_pylist()]
