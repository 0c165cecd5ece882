"""Rows as notes, whichever kind of sample they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.modalities.music.piece import TICKS_PER_STEP, VOICES, Note
from genwright.modalities.music.tunes import notes_of_tune
from genwright.modalities.music.voices import from_text, is_attack, pitches_of

Sounding = Mapping[str, Sequence[Note]]


def is_tunes(rows: pa.Table, /) -> bool:
    """Whether the rows are tunes; they are windows of four voices otherwise.

    Raises:
        DataError: they are neither.
    """
    if "tune" in rows.column_names:
        return True
    missing = [name for name in VOICES if name not in rows.column_names]
    if missing:
        raise DataError(
            f"a row of music has the column 'tune' or four voices; '{missing[0]}' is missing",
            hint=f"the voices are {', '.join(VOICES)}",
        )
    return False


def sounding(rows: pa.Table, /) -> list[Sounding]:
    """The notes of each row, by voice; what cannot be read is silent."""
    names = ("tune",) if is_tunes(rows) else VOICES
    columns = {name: rows.column(name).to_pylist() for name in names}
    out: list[Sounding] = []
    for row in range(len(rows)):
        try:
            out.append({name: _notes(name, columns[name][row]) for name in names})
        except DataError:
            out.append({name: [] for name in names})
    return out


def grid_of(rows: pa.Table, /) -> tuple[NDArray[np.int64], list[int]]:
    """(k, 4, steps) numbers of the windows that can be read, and which rows they are."""
    found, kept = [], []
    for row, texts in enumerate(zip(*(rows.column(name).to_pylist() for name in VOICES), strict=True)):
        try:
            steps = [from_text(text or "") for text in texts]
        except DataError:
            continue
        if len({len(voice) for voice in steps}) == 1 and len(steps[0]):
            found.append(np.stack(steps))
            kept.append(row)
    return np.array(found, dtype=np.int64), kept


def _notes(name: str, text: str | None) -> list[Note]:
    if name == "tune":
        return notes_of_tune(text or "")[0]
    return notes_of_steps(from_text(text or ""))


def notes_of_steps(steps: NDArray[np.int64], /) -> list[Note]:
    """The notes of a voice on the grid."""
    pitch, starts = pitches_of(steps), np.flatnonzero(is_attack(steps))
    ends = np.append(np.flatnonzero(is_attack(steps) | (pitch < 0)), len(steps))
    following = ends[np.searchsorted(ends, starts, side="right")]
    return [
        Note(start * TICKS_PER_STEP, (end - start) * TICKS_PER_STEP, int(pitch[start]))
        for start, end in zip(starts.tolist(), following.tolist(), strict=True)
    ]
