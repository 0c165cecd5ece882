"""rdkit behind a few functions: parsing and its faults, canonical SMILES, scaffolds, bits. Its log is kept silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

ELEMENTS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I"})
RADIUS, BITS = 2, 1024
_KEPT = 1 << 17
_morgan = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@contextmanager
def quiet() -> Iterator[None]:
    """Without rdkit's log, which writes a line to stderr for each fault."""
    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


@lru_cache(maxsize=_KEPT)
def canonical(smiles: str, /) -> str | None:
    """The canonical SMILES; None where it is none."""
    mol = parsed(smiles)
    return None if mol is None else str(Chem.MolToSmiles(mol))


def parsed(smiles: str, /) -> Chem.Mol | None:
    """The sanitised molecule; None where the text is none, or stands for nothing."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles)
    return mol if mol is not None and mol.GetNumAtoms() else None


@lru_cache(maxsize=_KEPT)
def fault(smiles: str, /) -> str | None:
    """Why a text is no legal molecule, None where it is one: one fragment of the elements of organic chemistry."""
    mol = parsed(smiles)
    if mol is None:
        return _parse_fault(smiles)
    if "." in smiles and len(Chem.GetMolFrags(mol)) > 1:
        return "several-fragments"
    strange = any(atom.GetSymbol() not in ELEMENTS for atom in mol.GetAtoms())
    return "element" if strange else None


def _parse_fault(smiles: str) -> str:
    """`empty`, `syntax`, or what sanitising finds: `valence` or `aromaticity`."""
    if not smiles.strip():
        return "empty"
    with quiet():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        problems = [] if mol is None else [one.GetType() for one in Chem.DetectChemistryProblems(mol)]
    if not problems:
        return "syntax"
    return "valence" if "AtomValenceException" in problems else "aromaticity"


def scaffold(mol: Chem.Mol, /) -> str:
    """The SMILES of rings and what links them, without stereochemistry; empty without a ring.

    Source: Bemis & Murcko 1996.
    """
    return str(MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False))  # type: ignore[no-untyped-call]


def fingerprints(mols: Sequence[Chem.Mol | None], /) -> list[DataStructs.ExplicitBitVect]:
    """Morgan bits of radius 2 in 1,024 places, none set for what is no molecule. Source: Rogers & Hahn 2010."""
    empty = DataStructs.ExplicitBitVect(BITS)
    return [empty if mol is None else _morgan.GetFingerprint(mol) for mol in mols]


def most_similar(
    rows: Sequence[DataStructs.ExplicitBitVect], reference: Sequence[DataStructs.ExplicitBitVect], /
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each row's Tanimoto similarity to the most similar of `reference`, and which that is: the first of equals."""
    best = np.zeros(len(rows))
    place = np.zeros(len(rows), dtype=np.int64)
    for at, row in enumerate(rows):
        similarity = np.array(DataStructs.BulkTanimotoSimilarity(row, reference))
        place[at] = similarity.argmax()
        best[at] = similarity[place[at]]
    return best, place
