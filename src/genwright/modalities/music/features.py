"""Samples as numbers: histograms of notes, and the features that a classifier tells sets apart by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.modalities.music.counterpoint import crossings, parallels, vertical
from genwright.modalities.music.piece import TICKS_PER_STEP, Note
from genwright.modalities.music.sounding import Sounding, grid_of, is_tunes

WIDEST = 12  # wider melodic intervals count as this one
LENGTHS = (3, 6, 8, 12, 16, 18, 24, 36, 48, 72, 96, 144, 192)  # ticks; each length counts as the nearest below


def intervals(notes: Sequence[Note], /) -> list[int]:
    """Semitones from each note to the next, at most an octave either way."""
    steps = (after.pitch - before.pitch for before, after in pairwise(notes))
    return [max(-WIDEST, min(WIDEST, step)) for step in steps]


# What is drawn up of the notes of one voice.
HISTOGRAMS: Mapping[str, Callable[[Sequence[Note]], list[int]]] = {
    "pitch_class": lambda notes: [note.pitch % 12 for note in notes],
    "interval": intervals,
    "duration": lambda notes: [note.length for note in notes],
}


def note_values(sample: Sounding, name: str, /) -> list[int]:
    """The values of one histogram, of all voices."""
    return [value for notes in sample.values() for value in HISTOGRAMS[name](notes)]


def features_of(rows: pa.Table, samples: Sequence[Sounding], /) -> NDArray[np.float64]:
    """(n, d): shares of pitch classes, intervals and lengths per voice; of windows their harmony and counterpoint too.

    A row that cannot be read is all zero there.
    """
    melodic = np.array([np.concatenate([_shares(notes) for notes in sample.values()]) for sample in samples])
    if is_tunes(rows):
        return melodic
    steps, kept = grid_of(rows)
    harmonic = np.zeros((len(samples), 46))
    if kept:
        counts = np.stack((sum(parallels(steps)), crossings(steps)), axis=1)
        harmonic[kept] = np.concatenate((vertical(steps), counts), axis=1)
    return np.concatenate((melodic, harmonic), axis=1)


def _shares(notes: Sequence[Note]) -> NDArray[np.float64]:
    pitch_class = np.bincount([note.pitch % 12 for note in notes], minlength=12)
    interval = np.bincount([step + WIDEST for step in intervals(notes)], minlength=2 * WIDEST + 1)
    places = np.searchsorted(LENGTHS, [note.length for note in notes], side="right")
    length = np.bincount(np.asarray(places, dtype=np.int64), minlength=len(LENGTHS) + 1)
    total = max(len(notes), 1)
    rate = total * TICKS_PER_STEP / max(notes[-1].end if notes else 1, 1)
    return np.concatenate((pitch_class / total, interval / total, length / total, [rate]))
