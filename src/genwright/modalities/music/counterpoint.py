"""What the rules of four-voice writing count, on (n, 4, steps) arrays of steps."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genwright.modalities.music.voices import pitches_of

Steps = NDArray[np.int64]
Integers = NDArray[np.int64]
FIFTH, OCTAVE = 7, 0  # modulo 12; unisons count as octaves


def parallels(steps: Steps, /) -> tuple[Integers, Integers]:
    """(n,) parallel fifths, and parallel octaves with unisons.

    Two voices at that interval both move, in the same direction, to the same interval at the next step.
    """
    pitch = pitches_of(steps)
    before, after = pitch[:, :, :-1], pitch[:, :, 1:]
    moved = np.where((before >= 0) & (after >= 0), np.sign(after - before), 0)
    found = {interval: np.zeros(len(steps), dtype=np.int64) for interval in (FIFTH, OCTAVE)}
    for high, low in combinations(range(pitch.shape[1]), 2):
        together = (moved[:, high] == moved[:, low]) & (moved[:, high] != 0)
        first = (before[:, high] - before[:, low]) % 12
        second = (after[:, high] - after[:, low]) % 12
        for interval in found:
            found[interval] += (together & (first == second) & (first == interval)).sum(1)
    return found[FIFTH], found[OCTAVE]


def crossings(steps: Steps, /) -> Integers:
    """(n,) steps at which a voice sounds above the next higher one, each pair of neighbours counted."""
    pitch = pitches_of(steps)
    high, low = pitch[:, :-1], pitch[:, 1:]
    return np.asarray(((high >= 0) & (low > high)).sum(axis=(1, 2)), dtype=np.int64)


def vertical(steps: Steps, /) -> NDArray[np.float64]:
    """(n, 36 + 8) shares of the intervals of each upper voice above the bass modulo 12; attacks and mean pitches."""
    pitch = pitches_of(steps)
    columns = []
    for voice in range(3):
        sounds = (pitch[:, voice] >= 0) & (pitch[:, 3] >= 0)
        interval = (pitch[:, voice] - pitch[:, 3]) % 12
        columns += [((interval == one) & sounds).mean(1) for one in range(12)]
    begun = (steps % 2 == 1).mean(2)
    heights = np.where(pitch >= 0, pitch, np.nan)
    silent = (pitch < 0).all(2)
    heights[silent] = 0.0
    return np.concatenate((np.stack(columns, axis=1), begun, np.nanmean(heights, axis=2)), axis=1)
