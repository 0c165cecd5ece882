"""Molecules as symbols: SMILES cut into atoms and marks, or SELFIES."""

from __future__ import annotations

import re
from typing import Protocol

import selfies

from genwright.modalities.molecule.chemistry import canonical

GAP = "_"  # in what is given, a token that is to be found
_SYMBOL = re.compile(r"\[[^\]]*\]|Br|Cl|%\d{2}|.")
_SELFIES = re.compile(r"\[[^\]]*\]|_")


class Notation(Protocol):
    """How a molecule becomes symbols and back; `unknown` stands for a symbol that the train split lacks."""

    unknown: str

    def split(self, smiles: str, /) -> list[str]: ...
    def join(self, text: str, /) -> str: ...


class AtomTokens:
    """Atoms in brackets, two-letter elements and ring numbers of two digits stay whole; all else is one character.

    An unknown symbol comes back as `*`, which stands for any atom and is not legal in a sample.
    """

    unknown = "*"

    def split(self, smiles: str, /) -> list[str]:
        """The symbols, which joined are the text.

        >>> AtomTokens().split("C[nH]%12Br")
        ['C', '[nH]', '%12', 'Br']
        """
        return _SYMBOL.findall(smiles)

    def join(self, text: str, /) -> str:
        """The text itself."""
        return text


class Selfies:
    """SELFIES: any symbols in any order stand for a molecule. Source: Krenn et al. 2020 (arXiv:1905.13741).

    An unknown symbol comes back as one that does nothing.
    """

    unknown = "[nop]"

    def split(self, smiles: str, /) -> list[str]:
        """The symbols; none for a molecule that SELFIES cannot write (an atom with too many bonds)."""
        if GAP in smiles:
            return [
                one for part in re.split(f"({GAP})", smiles) for one in ([GAP] if part == GAP else self.split(part))
            ]
        try:
            return _SELFIES.findall(str(selfies.encoder(smiles))) if smiles else []
        except selfies.EncoderError:
            return []

    def join(self, text: str, /) -> str:
        """The canonical SMILES of what the symbols stand for; empty where they stand for nothing."""
        smiles = str(selfies.decoder(text))
        return canonical(smiles) or smiles
