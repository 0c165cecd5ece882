"""The text of a voice on the grid, and the same as numbers.

A step (a sixteenth) is a MIDI pitch where a note begins, `_` where it is held, `.` where there is silence, `?` where it
is unknown; steps are separated by spaces. As numbers: 0 silence, 2 p + 1 where pitch p begins, 2 p + 2 while it is
held, -1 unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.modalities.music.piece import TICKS_PER_STEP, VOICES, Note

Steps = NDArray[np.int64]
REST, UNKNOWN = 0, -1
MOST_PITCH = 127


def shifts(most: int, /) -> list[int]:
    """Semitones up and down, without 0.

    >>> shifts(2)
    [-2, -1, 1, 2]
    """
    return [by for by in range(-most, most + 1) if by]


def told_size(most: int, /) -> int:
    """How many entries the condition has that tells a shift; none where nothing is moved."""
    return 2 * most + 1 if most else 0


def told_shift(count: int, semitones: int, /, *, most: int) -> NDArray[np.float32] | None:
    """The condition of so many samples that were moved by that: (count, 2 most + 1), 1 at the shift; None without one.

    >>> told_shift(1, -1, most=1).tolist()
    [[1.0, 0.0, 0.0]]
    """
    return np.tile(np.eye(told_size(most), dtype=np.float32)[semitones + most], (count, 1)) if most else None


def attack(pitch: int, /) -> int:
    """The number of a note that begins."""
    return 2 * pitch + 1


def steps_of(notes: Sequence[Note], /, *, first: int, count: int) -> Steps:
    """What sounds at each of `count` steps from tick `first` on; what sounds already begins anew at the first one.

    Notes begin and end at the nearest step; one that does both at the same step is lost.
    """
    out = np.zeros(count, dtype=np.int64)
    for note in notes:
        begin, end = ((tick - first + TICKS_PER_STEP // 2) // TICKS_PER_STEP for tick in (note.start, note.end))
        begin, end = max(begin, 0), min(end, count)
        if begin < end:
            out[begin] = attack(note.pitch)
            out[begin + 1 : end] = attack(note.pitch) + 1
    return out


def to_text(steps: Steps, /) -> str:
    """The text of a voice.

    >>> to_text(np.array([121, 122, 0]))
    '60 _ .'
    """
    words = []
    for at, step in enumerate(steps.tolist()):
        held = step > 0 and step % 2 == 0 and at > 0 and (steps[at - 1] + 1) // 2 == step // 2
        words.append("?" if step < 0 else "." if step == 0 else "_" if held else str((step - 1) // 2))
    return " ".join(words)


def from_text(text: str, /) -> Steps:
    """The numbers of a voice. `_` after `?` is unknown, too.

    Raises:
        DataError: a word is none of those, or there is nothing to hold.
    """
    out: list[int] = []
    for word in text.split():
        before = out[-1] if out else REST
        if word == "?" or (word == "_" and before == UNKNOWN):
            out.append(UNKNOWN)
        elif word == ".":
            out.append(REST)
        elif word == "_" and before > 0:
            out.append(before + before % 2)
        elif word.isdecimal() and int(word) <= MOST_PITCH:
            out.append(attack(int(word)))
        else:
            raise DataError(
                f"step {len(out) + 1} of a voice is '{word}'",
                hint="a step is a MIDI pitch (0 to 127), '_' (held, after a note), '.' (silence) or '?' (unknown)",
            )
    return np.array(out, dtype=np.int64)


def matrix_of(rows: pa.Table, /) -> NDArray[np.int64]:
    """(n, 4, steps) numbers of all voices.

    Raises:
        DataError: a voice is missing, or the voices are not equally long.
    """
    columns = [[from_text(text) for text in rows.column(name).to_pylist()] for name in VOICES]
    if len({len(steps) for column in columns for steps in column}) > 1:
        raise DataError("the voices are not equally long", hint="one window_steps for all sources")
    return np.array([list(row) for row in zip(*columns, strict=True)], dtype=np.int64).reshape(len(rows), 4, -1)


def table_of(steps: NDArray[np.int64], /) -> pa.Table:
    """A table with a text per voice, from (n, 4, steps) numbers."""
    return pa.table(
        {name: pa.array([to_text(row[at]) for row in steps], pa.string()) for at, name in enumerate(VOICES)}
    )


def pitches_of(steps: NDArray[np.int64], /) -> NDArray[np.int64]:
    """The pitch that sounds at each step, -1 in silence."""
    return np.asarray(np.where(steps > 0, (steps - 1) // 2, -1), dtype=np.int64)


def is_attack(steps: NDArray[np.int64], /) -> NDArray[np.bool_]:
    """Where a note begins: also where another pitch is held than sounded before."""
    pitch = pitches_of(steps)
    before = np.concatenate((np.full((*pitch.shape[:-1], 1), -2), pitch[..., :-1]), axis=-1)
    return np.asarray((pitch >= 0) & ((steps % 2 == 1) | (pitch != before)))
