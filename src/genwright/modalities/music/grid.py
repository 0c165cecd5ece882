"""Windows as tokens: a cell per step and voice, step by step, from the highest voice to the lowest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.digest import canonical_json
from genwright.core.protocols import Encoded, Representation, TokenShape
from genwright.modalities.music.piece import VOICES
from genwright.modalities.music.voices import (
    MOST_PITCH,
    REST,
    UNKNOWN,
    from_text,
    matrix_of,
    pitches_of,
    shifts,
    table_of,
    told_shift,
    told_size,
)


class GridCodec:
    """Each voice has ids of its own: silence, and two for each pitch of its range in train, begun and held.

    A held pitch has an id of its own, not the one of "held" alone: what sounds is then seen in the cell itself. A pitch
    outside its voice's range moves into it by octaves.
    """

    representation: Representation = "tokens"
    unit = "cell"

    def __init__(self, lows: Sequence[int], highs: Sequence[int], *, num_steps: int, transpose_up_to: int = 0) -> None:
        self._lows, self._highs, self._num_steps = np.array(lows), np.array(highs), num_steps
        self._transpose_up_to = transpose_up_to
        self._counts = 2 * (self._highs - self._lows + 1) + 1
        self._firsts = np.concatenate(([0], np.cumsum(self._counts)[:-1]))
        total = int(self._counts.sum())
        cells = tuple(zip(self._firsts.tolist(), self._counts.tolist(), strict=True)) * num_steps
        told = told_size(transpose_up_to)
        self._shape = TokenShape(total + 2, total, total + 1, len(cells), cells=cells, cond_size=told)

    @property
    def shape(self) -> TokenShape:
        """Steps times four cells."""
        return self._shape

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The lowest and the highest pitch of each voice."""
        return tuple(zip(self._lows.tolist(), self._highs.tolist(), strict=True))

    @classmethod
    def fit(cls, rows: Iterable[pa.Table], /, *, transpose_up_to: int = 0) -> Self:
        """The range of each voice, with that of the copies.

        Raises:
            DataError: a voice is silent throughout, or windows differ in length.
        """
        lows, highs, lengths = np.full(4, 128), np.full(4, -1), set()
        for table in rows:
            pitch = pitches_of(steps := matrix_of(table))
            lengths.add(steps.shape[2])
            lows = np.minimum(lows, np.where(pitch < 0, 128, pitch).min(axis=(0, 2)))
            highs = np.maximum(highs, pitch.max(axis=(0, 2)))
        if len(lengths) != 1 or (highs < 0).any():
            raise DataError(
                f"windows have {sorted(lengths)} steps and voices reach up to {highs.tolist()}",
                hint="all windows need one length, and each voice a note",
            )
        lows, highs = np.maximum(lows - transpose_up_to, 0), np.minimum(highs + transpose_up_to, MOST_PITCH)
        return cls(lows.tolist(), highs.tolist(), num_steps=lengths.pop(), transpose_up_to=transpose_up_to)

    def encode(self, rows: pa.Table) -> Encoded:
        """(n, steps x 4) ids.

        Raises:
            DataError: windows of another length.
        """
        steps = matrix_of(rows)
        self._check_length(steps.shape[2])
        return Encoded(self._ids(steps), cond=self.usual_condition(len(rows)))

    def copies(self, rows: pa.Table) -> Iterator[Encoded]:
        """The windows at other pitches, one batch for each, told how far they were moved: training is on them, too."""
        steps = matrix_of(rows)
        for semitones in shifts(self._transpose_up_to):
            told = told_shift(len(rows), semitones, most=self._transpose_up_to)
            yield Encoded(self._ids(np.where(steps > 0, steps + 2 * semitones, steps)), cond=told)

    def usual_condition(self, count: int, /) -> NDArray[np.float32] | None:
        """That music is where it stands; None without copies."""
        return told_shift(count, 0, most=self._transpose_up_to)

    def encode_given(self, rows: pa.Table) -> Encoded:
        """Ids of what is known; a voice that is null or not there is unknown, and so is a step `?`.

        Raises:
            DataError: a column is no voice, or one of another length.
        """
        strange = set(rows.column_names) - {*VOICES, "id", "group", "title", "metre", "fifths"}
        if strange:
            raise DataError(f"a score has no voice '{min(strange)}'", hint=f"its voices are {', '.join(VOICES)}")
        steps = np.full((len(rows), 4, self._num_steps), UNKNOWN, dtype=np.int64)
        for place, name in enumerate(VOICES):
            texts = rows.column(name).to_pylist() if name in rows.column_names else []
            for row, text in enumerate(texts):
                if text is not None:
                    self._check_length(len(voice := from_text(text)))
                    steps[row, place] = voice
        known = steps != UNKNOWN
        self._check_ranges(pitches_of(steps))
        told = self.usual_condition(len(rows))
        marks = _flat(known.astype(np.int64)).astype(np.bool_)
        return Encoded(self._ids(np.where(known, steps, REST)), cond=told, known=marks)

    def decode(self, encoded: Encoded) -> pa.Table:
        """A text per voice."""
        ids = np.asarray(encoded.values, dtype=np.int64).reshape(-1, self._num_steps, 4) - self._firsts
        steps = np.where(ids > 0, ids + 2 * self._lows, REST)
        return table_of(steps.transpose(0, 2, 1))

    def _ids(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        lows, highs = self._lows[:, None], self._highs[:, None]
        pitch = pitches_of(steps)
        below, above = np.maximum(lows - pitch, 0), np.maximum(pitch - highs, 0)
        moved = np.clip(pitch + 12 * (-(-below // 12)) - 12 * (-(-above // 12)), lows, highs)
        ids = np.where(steps > 0, steps + 2 * (moved - pitch) - 2 * lows, 0)
        return _flat(ids + self._firsts[:, None])

    def _check_length(self, length: int) -> None:
        if length != self._num_steps:
            raise DataError(
                f"a voice has {length} steps, and this model's windows have {self._num_steps}",
                hint="fill up with '?' (unknown) or '.' (silence)",
            )

    def _check_ranges(self, pitch: NDArray[np.int64]) -> None:
        lows, highs = self._lows[:, None], self._highs[:, None]
        wrong = np.argwhere((pitch >= 0) & ((pitch < lows) | (pitch > highs)))
        if len(wrong):
            row, voice, step = wrong[0].tolist()
            low, high = self.ranges[voice]
            raise DataError(
                f"the {VOICES[voice]} has pitch {pitch[row, voice, step]} at step {step + 1}; "
                f"in the music that this model has seen it lies between {low} and {high}",
                hint="move the voice to the key and the octave of the training pieces",
            )

    def units(self, rows: pa.Table) -> NDArray[np.float64]:
        """Cells: steps times voices."""
        return np.full(len(rows), float(len(self._shape.cells)))

    def save(self, folder: Path) -> None:
        """Writes `codec.json`."""
        body = {"lows": self._lows.tolist(), "highs": self._highs.tolist(), "num_steps": self._num_steps}
        if self._transpose_up_to:
            body["transpose_up_to"] = self._transpose_up_to
        (folder / "codec.json").write_bytes(canonical_json({"kind": "music-tokens", "grid": body}))


def _flat(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, steps x voices) of (n, voices, steps)."""
    return cells.transpose(0, 2, 1).reshape(len(cells), -1)
