"""Numbers that are computed of a molecule: logP, QED, weight, synthetic accessibility."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDConfig
from rdkit.Chem import QED, Descriptors, rdFingerprintGenerator, rdMolDescriptors

from genwright.core import DependencyError

UNITS: Mapping[str, str] = {"logp": "log10 of a ratio", "qed": "0 to 1", "sa": "1 (easy) to 10", "weight": "Da"}
_UNKNOWN_FRAGMENT = -4.0
_LOWEST, _HIGHEST = -4.0, 2.5  # the range of raw scores that is spread over 10 .. 1
_MACROCYCLE = 8
_morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2)


def property_of(name: str, mol: Chem.Mol, /) -> float:
    """logP by atom contributions (Wildman & Crippen 1999), QED (Bickerton et al. 2012), `sa`, or weight in Da.

    Raises:
        DependencyError: `sa` needs a table that this rdkit does not ship.
    """
    match name:
        case "logp":
            return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])
        case "qed":
            return float(QED.qed(mol))  # type: ignore[no-untyped-call]
        case "sa":
            return synthetic_accessibility(mol)
    return float(Descriptors.MolWt(mol))  # type: ignore[attr-defined]


def properties_of(names: Sequence[str], mols: Sequence[Chem.Mol], /) -> dict[str, NDArray[np.float64]]:
    """Those numbers of each molecule."""
    return {name: np.array([property_of(name, mol) for mol in mols], dtype=np.float64) for name in names}


def synthetic_accessibility(mol: Chem.Mol, /) -> float:
    """How hard a molecule is to make, from 1 to 10: how common its fragments are, less what makes it complex.

    Source: Ertl & Schuffenhauer 2009, with the two changes of rdkit's own port: macrocycles count once, and symmetric
    molecules (few different fragments for their atoms) get a bonus.
    """
    fragments = _morgan.GetSparseCountFingerprint(mol).GetNonzeroElements()
    scores = fragment_scores()
    common = sum(scores.get(key, _UNKNOWN_FRAGMENT) * count for key, count in fragments.items())
    raw = common / sum(fragments.values()) - _complexity(mol)
    atoms = mol.GetNumAtoms()
    if atoms > len(fragments):
        raw += 0.5 * math.log(atoms / len(fragments))
    score = 11.0 - 9.0 * (raw - _LOWEST + 1.0) / (_HIGHEST - _LOWEST)
    if score > 8.0:
        score = 8.0 + math.log(score - 8.0)
    return float(min(10.0, max(1.0, score)))


def _complexity(mol: Chem.Mol) -> float:
    atoms = mol.GetNumAtoms()
    centres = len(Chem.FindMolChiralCenters(mol, includeUnassigned=True))  # type: ignore[no-untyped-call]
    large = any(len(ring) > _MACROCYCLE for ring in mol.GetRingInfo().AtomRings())
    return float(
        atoms**1.005
        - atoms
        + math.log10(centres + 1)
        + math.log10(rdMolDescriptors.CalcNumSpiroAtoms(mol) + 1)
        + math.log10(rdMolDescriptors.CalcNumBridgeheadAtoms(mol) + 1)
        + (math.log10(2) if large else 0.0)
    )


@cache
def fragment_scores() -> Mapping[int, float]:
    """The score of each fragment, from the table that rdkit ships beside its port.

    The file is a pickle of the textual kind that holds lists of a score and its fragments. It is not unpickled: the
    numbers are picked out of the text, so that nothing in it could run.

    Raises:
        DependencyError: it is not there.
    """
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "fpscores.pkl.gz"
    try:
        text = gzip.decompress(path.read_bytes()).decode("ascii")
    except (OSError, ValueError) as error:
        raise DependencyError(
            f"{path}, which synthetic accessibility needs, cannot be read ({error})",
            hint="pip install 'genwright[molecule]', or leave 'sa' out of data.sources properties",
        ) from None
    found: dict[int, float] = {}
    score = 0.0
    for kind, number in re.findall(r"^a?([FI])(-?[0-9.e+-]+)$", text, flags=re.MULTILINE):
        if kind == "F":
            score = float(number)
        else:
            found[int(number)] = score
    return found
