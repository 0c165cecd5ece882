"""Columns of the scores table: how molecules of one side compare with those of another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import BRICS, FilterCatalog, rdFingerprintGenerator, rdMolDescriptors

from genwright.measure.c2st import classifier_scores
from genwright.modalities.molecule.chemistry import quiet
from genwright.modalities.molecule.sides import Side

COUNTED_BITS = 64
ALERT_ROWS = 1000  # of a side; each costs some milliseconds
_DESCRIPTORS = (
    rdMolDescriptors.CalcExactMolWt,
    lambda mol: rdMolDescriptors.CalcCrippenDescriptors(mol)[0],
    rdMolDescriptors.CalcTPSA,
    rdMolDescriptors.CalcNumHBD,
    rdMolDescriptors.CalcNumHBA,
    rdMolDescriptors.CalcNumRotatableBonds,
    rdMolDescriptors.CalcNumRings,
    rdMolDescriptors.CalcNumAromaticRings,
    rdMolDescriptors.CalcNumHeteroatoms,
    rdMolDescriptors.CalcFractionCSP3,
    rdMolDescriptors.CalcNumBridgeheadAtoms,
    rdMolDescriptors.CalcNumSpiroAtoms,
)
_counts = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=COUNTED_BITS)


def apart(side: Side, /) -> list[float | None]:
    """1 minus the Tanimoto similarity of each molecule to the next one, for the first of every two.

    Pairs share no molecule, so that their mean has an interval: it is the diversity among all pairs.
    """
    bits = side.bits
    distances: list[float | None] = [None] * len(bits)
    for at in range(0, len(bits) - 1, 2):
        distances[at] = 1.0 - float(DataStructs.TanimotoSimilarity(bits[at], bits[at + 1]))
    return distances


def fragments(mol: Chem.Mol, /) -> list[str]:
    """The SMILES of its different fragments when all bonds that synthesis makes are cut. Source: Degen et al. 2008."""
    with quiet():
        return sorted(BRICS.BRICSDecompose(mol))  # type: ignore[no-untyped-call]


@cache
def _alerts() -> FilterCatalog.FilterCatalog:
    chosen = FilterCatalog.FilterCatalogParams()
    for name in ("PAINS", "BRENK"):
        chosen.AddCatalog(getattr(FilterCatalog.FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog.FilterCatalog(chosen)


def passes_filters(mols: Sequence[Chem.Mol], /) -> list[bool | None]:
    """Whether none of the PAINS (Baell & Holloway 2010) and Brenk (Brenk et al. 2008) alerts is found.

    Of the first 1,000 molecules; None for the others.
    """
    catalog = _alerts()
    found: list[bool | None] = [not catalog.HasMatch(mol) for mol in mols[:ALERT_ROWS]]
    return found + [None] * (len(mols) - len(found))


def descriptors(mols: Sequence[Chem.Mol], /) -> NDArray[np.float64]:
    """(n, 12 descriptors and 64 counts of Morgan environments), what the two-sample test looks at."""
    numbers = np.array([[float(of(mol)) for of in _DESCRIPTORS] for mol in mols]).reshape(len(mols), len(_DESCRIPTORS))
    counts = np.array([_counts.GetCountFingerprintAsNumPy(mol) for mol in mols], dtype=np.float64)
    return np.concatenate((numbers, counts.reshape(len(mols), COUNTED_BITS)), axis=1)


def two_samples(made: Side, real: Side, /, *, folds: int, seed: int) -> NDArray[np.float64] | None:
    """Out-of-fold scores, `made` first, of trees that tell the sides apart; the same molecules stay in one fold.

    None where a side has too few different molecules.
    """
    names = [*made.smiles, *real.smiles]
    if min(len(set(made.smiles)), len(set(real.smiles))) < 2 * folds:
        return None
    matrices = [descriptors(side.mols) for side in (made, real)]
    return classifier_scores(*matrices, seed=seed, folds=folds, groups=names)
