"""What samples share with others in any key: runs of notes with equal intervals and lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.music.piece import Note
from genwright.modalities.music.sounding import Sounding

Symbols = tuple[tuple[int, int], ...]
SHINGLE_NOTES = 8
UNISON = 128  # intervals are counted from here: the hashes of -1 and -2 are the same


def symbols_of(notes: Sequence[Note], /) -> Symbols:
    """For each note but the last its length and the interval that follows."""
    return tuple((UNISON + after.pitch - before.pitch, before.length) for before, after in pairwise(notes))


class SharedRuns:
    """Runs of notes of one voice that a reference holds, in the same voice."""

    def __init__(self, reference: Sequence[Sounding], /) -> None:
        self._voices: dict[str, list[Symbols]] = {}
        for sample in reference:
            for name, notes in sample.items():
                self._voices.setdefault(name, []).append(symbols_of(notes))
        self._runs: dict[tuple[str, int], set[int]] = {}

    def longest(self, sample: Sounding, /) -> int:
        """Notes of the longest shared run of any voice; 0 where not even two notes are shared."""
        best = 0
        for name, notes in sample.items():
            symbols, low, high = symbols_of(notes), 0, len(notes) - 1
            while low < high:
                middle = (low + high + 1) // 2
                shared = self._shares(symbols, name, middle)
                low, high = (middle, high) if shared else (low, middle - 1)
            best = max(best, low + 1 if low > 0 else 0)
        return best

    def _shares(self, symbols: Symbols, name: str, size: int) -> bool:
        key = (name, size)
        if key not in self._runs:
            self._runs[key] = {run for voice in self._voices.get(name, []) for run in _hashes(voice, size)}
        return any(run in self._runs[key] for run in _hashes(symbols, size))


def _hashes(symbols: Symbols, size: int) -> list[int]:
    # Tuples of integers hash alike in every process.
    return [hash(symbols[at : at + size]) for at in range(len(symbols) - size + 1)]


def nearest_by_runs(
    samples: Sequence[Sounding], reference: Sequence[Sounding], /
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """1 - the Jaccard similarity of the sets of 8-note runs, and which of `reference` is the most similar."""
    sets = [_shingles(sample) for sample in reference]
    holders: dict[tuple[str, int], list[int]] = {}
    for number, runs in enumerate(sets):
        for run in runs:
            holders.setdefault(run, []).append(number)
    distances, numbers = np.ones(len(samples)), np.zeros(len(samples), dtype=np.int64)
    for row, sample in enumerate(samples):
        own = _shingles(sample)
        common = Counter(number for run in sorted(own) for number in holders.get(run, []))
        for number, count in sorted(common.items()):
            distance = 1.0 - count / (len(own) + len(sets[number]) - count)
            if distance < distances[row]:
                distances[row], numbers[row] = distance, number
    return distances, numbers


def _shingles(sample: Sounding) -> set[tuple[str, int]]:
    """Runs of eight notes by voice; a shorter voice is one run."""
    return {
        (name, run)
        for name, notes in sample.items()
        for run in _hashes(symbols_of(notes), min(SHINGLE_NOTES - 1, max(1, len(notes) - 1)))
    }
