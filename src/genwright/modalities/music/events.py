"""Tunes as tokens: one id per event, a sequence of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.music.tunes import transposed
from genwright.modalities.music.voices import shifts, told_shift, told_size
from genwright.modalities.sequences import padded, partly_known, sequences_of

GAP = "?"


class EventCodec:
    """The words of tunes (see `tunes`).

    One that train has not is left out when encoding, and the round trip shows it.
    """

    representation: Representation = "tokens"
    unit = "event"

    def __init__(self, words: Sequence[str], *, context_tokens: int, transpose_up_to: int = 0) -> None:
        self._words = tuple(words)
        self._ids = {word: at for at, word in enumerate(self._words)}
        self._transpose_up_to = transpose_up_to
        total = len(self._words)
        self._shape = TokenShape(total + 2, total, total + 1, context_tokens, cond_size=told_size(transpose_up_to))

    @property
    def shape(self) -> TokenShape:
        """Sequences as long as the longest tune of train."""
        return self._shape

    @classmethod
    def fit(cls, rows: Iterable[pa.Table], /, *, transpose_up_to: int = 0) -> Self:
        """The words of the train split, with those of the copies.

        Raises:
            DataError: there is no tune.
        """
        words: set[str] = set()
        longest = 0
        for table in rows:
            for text in table.column("tune").to_pylist():
                longest = max(longest, len(found := text.split()))
                words.update(found)
        if not words:
            raise DataError("there is no tune to fit a codec to", hint="look at what the data stage dropped")
        moved = {transposed(word, by) for word in words for by in shifts(transpose_up_to)}
        return cls(sorted(words | moved), context_tokens=longest + 1, transpose_up_to=transpose_up_to)

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, longest) ids, and how many of each row count."""
        made = padded(self._sequences(rows), width=self._shape.context_tokens - 1)
        return replace(made, cond=self.usual_condition(len(rows)))

    def copies(self, rows: pa.Table) -> Iterator[Encoded]:
        """The tunes at other pitches, one batch for each, told how far they were moved: training is on them, too."""
        for semitones in shifts(self._transpose_up_to):
            made = padded(self._sequences(rows, semitones), width=self._shape.context_tokens - 1)
            yield replace(made, cond=told_shift(len(rows), semitones, most=self._transpose_up_to))

    def usual_condition(self, count: int, /) -> NDArray[np.float32] | None:
        """That music is where it stands; None without copies."""
        return told_shift(count, 0, most=self._transpose_up_to)

    def _sequences(self, rows: pa.Table, semitones: int = 0) -> list[list[int]]:
        texts = [text.split() for text in rows.column("tune").to_pylist()]
        if semitones:
            texts = [[transposed(word, semitones) for word in words] for words in texts]
        # Longer tunes than any of train are cut off there: the model has no position beyond.
        most = self._shape.context_tokens - 1
        return [[self._ids[word] for word in words if word in self._ids][:most] for words in texts]

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is given, which stands after the begin mark; a word `?`, and a null tune, is unknown.

        Raises:
            DataError: there is no column `tune`, or a word that train has not.
        """
        if "tune" not in rows.column_names:
            raise DataError("what is given has no 'tune'", hint='give \'{"tune": ":24 67 69"}\', the start of a tune')
        texts = [(text or "").split() for text in rows.column("tune").to_pylist()]
        for words in texts:
            strange = next((word for word in words if word != GAP and word not in self._ids), None)
            if strange is not None:
                known = ", ".join(get_close_matches(strange, self._words, n=8, cutoff=0.0))
                raise DataError(
                    f"'{strange}' is given, and no tune of the train split has it",
                    hint=f"try '{GAP}', which stands for any word, or a word of the training tunes, such as {known}",
                )
        made = partly_known([[self._ids.get(word) for word in words] for words in texts])
        return replace(made, cond=self.usual_condition(len(rows)))

    def decode(self, encoded: Encoded) -> pa.Table:
        """A text per tune; ids of no word are left out."""
        texts = [" ".join(self._words[one] for one in ids if one < len(self._words)) for ids in sequences_of(encoded)]
        return pa.table({"tune": pa.array(texts, pa.string())})

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """Events, and one for the end."""
        return np.array([len(one) + 1.0 for one in self._sequences(rows)])

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body: dict[str, Any] = {"words": list(self._words), "context_tokens": self._shape.context_tokens}
        if self._transpose_up_to:
            body["transpose_up_to"] = self._transpose_up_to
        (folder / "codec.json").write_bytes(canonical_json({"kind": "music-tokens", "events": body}))
