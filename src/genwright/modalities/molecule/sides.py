"""The sets of molecules that metrics compare: parsed once, the illegal left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
from rdkit import Chem, DataStructs

from genwright.core.protocols import Candidate
from genwright.modalities.molecule.chemistry import canonical, fault, fingerprints, parsed


@dataclass(frozen=True)
class Side:
    """Legal molecules in their order. `places` are their rows in the table they come from."""

    name: str
    label: str
    smiles: tuple[str, ...]
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.smiles)

    @cached_property
    def mols(self) -> list[Chem.Mol]:
        """The molecules."""
        return [mol for text in self.smiles if (mol := parsed(text)) is not None]

    @cached_property
    def bits(self) -> list[DataStructs.ExplicitBitVect]:
        """Their Morgan bits."""
        return fingerprints(self.mols)

    def first(self, count: int, /) -> Side:
        """The first `count` of them."""
        return replace(self, smiles=self.smiles[:count], places=self.places[:count])


def side_of(name: str, label: str, rows: pa.Table, /) -> Side:
    """The legal molecules of a table, canonical."""
    texts = [text or "" for text in rows.column("smiles").to_pylist()]
    legal = [at for at, text in enumerate(texts) if fault(text) is None]
    return Side(name, label, tuple(canonical(texts[at]) or "" for at in legal), tuple(legal))


def sides_of(candidates: Sequence[Candidate], /) -> list[Side]:
    """Each candidate's; floor and copy with no more molecules than the system has legal ones.

    Distances between samples depend on how many there are: real molecules stand beside as many made ones.
    """
    found = [side_of(one.name, one.label, one.rows) for one in candidates]
    most = next((len(side) for side in found if side.name == "system"), None)
    return [side.first(most) if most and side.name in ("floor", "copy") else side for side in found]
