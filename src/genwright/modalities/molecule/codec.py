"""Molecules as sequences of tokens: symbols of a notation, the most frequent neighbours joined."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, trainers

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.molecule.config import SelfiesCodecConfig, SmilesCodecConfig
from genwright.modalities.molecule.notation import GAP, AtomTokens, Notation, Selfies
from genwright.modalities.sequences import padded, partly_known, sequences_of

# A symbol is one character to the BPE: the first of a private range stands for what was never seen.
_FIRST, _MOST_SYMBOLS = 0xE000, 6000


class SequenceCodec:
    """Token ids of molecules. Begin and end marks have the last two ids.

    `lengths` says how many ids of a row count. There is room for a tenth more than the longest of the train split has;
    a molecule that needs more is cut, and does not come back as itself. What is given is the beginning of a molecule,
    in which `_` stands for one token that is to be found.
    """

    kind: ClassVar[str]
    notation: ClassVar[Notation]
    representation: Representation = "tokens"
    unit = "molecule"

    def __init__(self, tokenizer: Tokenizer, *, symbols: Sequence[str], longest: int) -> None:
        self._tokenizer, self._symbols, self._longest = tokenizer, tuple(symbols), longest
        self._place = {symbol: chr(_FIRST + at) for at, symbol in enumerate(self._symbols)}
        size = tokenizer.get_vocab_size()
        texts = [tokenizer.id_to_token(token) or "" for token in range(size)]
        self._texts = ["".join(self._symbols[ord(char) - _FIRST] for char in text) for text in texts]
        self._shape = TokenShape(size + 2, size, size + 1, longest + 1)

    @property
    def shape(self) -> TokenShape:
        """Sequences of any length up to one and the marks around it."""
        return self._shape

    @classmethod
    def fit(cls, config: SmilesCodecConfig | SelfiesCodecConfig, *, rows: Iterable[pa.Table]) -> Self:
        """Symbols and joined tokens of the train split.

        Raises:
            DataError: there is no molecule, or far too many different symbols.
        """
        sequences = [cls.notation.split(smiles) for table in rows for smiles in _smiles(table)]
        counts = Counter(symbol for sequence in sequences for symbol in sequence)
        symbols = [cls.notation.unknown, *sorted(counts.keys() - {cls.notation.unknown, GAP})]
        if not counts or len(symbols) > _MOST_SYMBOLS:
            raise DataError(
                f"the train split has {len(counts):,} different symbols; a codec takes 1 to {_MOST_SYMBOLS:,}",
                hint="look at the molecules of the dataset",
            )
        place = {symbol: chr(_FIRST + at) for at, symbol in enumerate(symbols)}
        tokenizer = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=max(config.vocab_size, len(symbols)),
            min_frequency=2,
            initial_alphabet=[place[symbol] for symbol in symbols],
            show_progress=False,
        )
        tokenizer.train_from_iterator(("".join(map(place.__getitem__, one)) for one in sequences), trainer)
        whole = cls(tokenizer, symbols=symbols, longest=1)
        longest = max(len(one) for one in whole._ids(sequences))
        return cls(tokenizer, symbols=symbols, longest=longest + longest // 10 + 2)

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, longest) ids, and how many of each row count; what is longer is cut."""
        ids = self._ids([self.notation.split(smiles) for smiles in _smiles(rows)])
        return padded([one[: self._longest] for one in ids], width=self._longest)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is given, the begin mark in front, and which are known; a null molecule is unknown.

        Raises:
            DataError: there is no column `smiles`, or a symbol that the train split lacks.
        """
        if "smiles" not in rows.column_names:
            raise DataError(
                f"what is given has no 'smiles' (it has: {', '.join(rows.column_names) or 'nothing'})",
                hint='give \'{"smiles": "c1ccccc1"}\', the start of a molecule',
            )
        found = [self._given(smiles) for smiles in _smiles(rows)]
        return partly_known(found)

    def _given(self, smiles: str) -> list[int | None]:
        """Ids of the symbols, None for each that is to be found."""
        symbols = self.notation.split(smiles)
        for symbol in symbols:
            if symbol not in self._place and symbol != GAP:
                raise DataError(
                    f"'{smiles}' is given, and no molecule of the train split has '{symbol}'",
                    hint=f"try '{GAP}', one token to be found; the train split has {' '.join(self._symbols[1:])}",
                )
        ids: list[int | None] = []
        start = 0
        for at in [*(at for at, symbol in enumerate(symbols) if symbol == GAP), len(symbols)]:
            ids += [*self._ids([symbols[start:at]])[0], *([None] if at < len(symbols) else [])]
            start = at + 1
        return ids

    def decode(self, encoded: Encoded) -> pa.Table:
        """One `smiles` per row; marks stand for nothing."""
        texts = [
            "".join(self._texts[token] for token in ids if token < len(self._texts)) for ids in sequences_of(encoded)
        ]
        return pa.table({"smiles": pa.array([self.notation.join(text) for text in texts], pa.string())})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """A molecule is a molecule, however it is cut: likelihoods of notations compare as nats per molecule."""
        return np.ones(len(rows))

    def _ids(self, sequences: Sequence[Sequence[str]]) -> list[list[int]]:
        unknown = chr(_FIRST)
        texts = ["".join(self._place.get(symbol, unknown) for symbol in one) for one in sequences]
        return [list(one.ids) for one in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def save(self, folder: Path) -> None:
        """Writes `codec.json` and `tokenizer.json`."""
        body = {"kind": self.kind, "format": 1, "symbols": self._symbols, "longest": self._longest}
        (folder / "codec.json").write_bytes(canonical_json(body))
        (folder / "tokenizer.json").write_text(self._tokenizer.to_str(pretty=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: the folder holds something else.
        """
        try:
            body: dict[str, Any] = json.loads((folder / "codec.json").read_bytes())
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
            if body["kind"] != cls.kind or body["format"] != 1:
                raise ValueError(f"it is a {body['kind']} of format {body['format']}")
            return cls(tokenizer, symbols=body["symbols"], longest=int(body["longest"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder} holds no codec '{cls.kind}' ({error})", hint="genwright verify") from None


class SmilesCodec(SequenceCodec):
    """Canonical SMILES by atoms."""

    kind = "molecule-smiles"
    notation = AtomTokens()


class SelfiesCodec(SequenceCodec):
    """SELFIES: every sequence of tokens is a molecule, though perhaps not the one that was meant."""

    kind = "molecule-selfies"
    notation = Selfies()


def _smiles(rows: pa.Table) -> list[str]:
    return [text or "" for text in rows.column("smiles").to_pylist()]
