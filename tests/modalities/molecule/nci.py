"""Real molecules for tests: those of the NCI that rdkit ships."""

from pathlib import Path

import pyarrow as pa
from rdkit import RDConfig

from genwright.modalities.molecule.chemistry import canonical, fault

PATH = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"


def smiles(first: int, count: int) -> list[str]:
    """Canonical SMILES of legal molecules among the lines from `first` on."""
    lines = PATH.read_text().splitlines()[first : first + 3 * count]
    texts = [line.split()[0] for line in lines]
    legal = [canonical(text) or "" for text in texts if fault(text) is None]
    return list(dict.fromkeys(legal))[:count]


def table(first: int, count: int) -> pa.Table:
    """The same as rows of a dataset."""
    texts = smiles(first, count)
    names = [f"nci {first + row}" for row in range(len(texts))]
    return pa.table({"id": names, "group": texts, "smiles": texts})
