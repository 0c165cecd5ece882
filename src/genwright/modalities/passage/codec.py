"""Passages as sequences of tokens, by the codecs of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Codec, Encoded, Representation, TokenShape
from genwright.modalities.sequences import padded, partly_known, sequences_of
from genwright.modalities.text.bpe import BpeCodec
from genwright.modalities.text.bytes import BytesCodec
from genwright.modalities.text.config import BpeConfig, BytesConfig

GAP = "\N{FULL BLOCK}"
INNER = "text"


class PassageCodec:
    """Token ids of passages; what is longer than the longest of the train split is cut, and does not come back whole.

    What is given is a passage in which each `█` stands for one token that is to be found; the beginning of one where
    it ends early.
    """

    kind: ClassVar[str]
    inner: ClassVar[type[Any]]
    settings: ClassVar[type[Any]]
    representation: Representation = "tokens"
    unit = "byte"

    def __init__(self, codec: Codec, *, longest: int) -> None:
        self._codec, self._longest = codec, longest
        self._shape = TokenShape(codec.vocab_size, codec.bos_id, codec.eos_id, longest + 1)

    @property
    def shape(self) -> TokenShape:
        """Sequences of any length up to one and the marks around it."""
        return self._shape

    @classmethod
    def fit(cls, config: Any, *, rows: Iterable[pa.Table]) -> Self:
        """The codec of texts on the train split.

        Raises:
            DataError: there is no passage.
        """
        texts = [text for table in rows for text in _texts(table)]
        if not texts:
            raise DataError("the train split holds no passage", hint="look at what the data stage dropped")
        settings = cls.settings(**config.model_dump(exclude={"kind"}))
        codec = cls.inner.fit(settings, texts=texts)
        return cls(codec, longest=max(len(one) for one in codec.encode(texts)))

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, longest) ids, and how many of each row count."""
        return padded([one[: self._longest] for one in self._codec.encode(_texts(rows))], width=self._longest)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is given, the begin mark in front, and which are known; a null passage is unknown.

        Raises:
            DataError: there is no column `text`.
        """
        if "text" not in rows.column_names:
            raise DataError(f"what is given has no 'text' (it has: {', '.join(rows.column_names) or 'nothing'})")
        found = [self._given(text) for text in _texts(rows)]
        return partly_known(found)

    def _given(self, text: str) -> list[int | None]:
        ids: list[int | None] = []
        for at, part in enumerate(text.split(GAP)):
            ids += [None] if at else []
            ids += [int(token) for token in self._codec.encode([part])[0]]
        return ids

    def decode(self, encoded: Encoded) -> pa.Table:
        """One `text` per row; marks stand for nothing."""
        return pa.table({"text": pa.array(self._codec.decode(list(sequences_of(encoded))), pa.string())})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """The bytes of each passage, however it is cut into tokens."""
        return np.array([len(text.encode()) for text in _texts(rows)], dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Writes `codec.json`, and the codec of texts below."""
        (folder / INNER).mkdir(exist_ok=True)
        self._codec.save(folder / INNER)
        (folder / "codec.json").write_bytes(canonical_json({"kind": self.kind, "longest": self._longest}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            IntegrityError: the folder holds something else.
        """
        try:
            longest = int(json.loads((folder / "codec.json").read_bytes())["longest"])
            return cls(cls.inner.load(folder / INNER), longest=longest)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder} holds no codec '{cls.kind}' ({error})", hint="genwright verify") from None


class PassageBpe(PassageCodec):
    """By byte-pair tokens."""

    kind = "passage-bpe"
    inner, settings = BpeCodec, BpeConfig


class PassageBytes(PassageCodec):
    """By bytes."""

    kind = "passage-bytes"
    inner, settings = BytesCodec, BytesConfig


def _texts(rows: pa.Table) -> list[str]:
    return [text or "" for text in rows.column("text").to_pylist()]
