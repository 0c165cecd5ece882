"""Sound without a sound font: a few harmonics per note, softly begun and fading."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from genwright.modalities.music.piece import TICKS_PER_QUARTER
from genwright.modalities.music.sounding import Sounding

RATE = 22_050  # samples a second
SECONDS_PER_QUARTER = 0.625
HARMONICS = (1.0, 0.45, 0.25, 0.12, 0.06)
ATTACK_SECONDS, RELEASE_SECONDS, FADE_SECONDS = 0.015, 0.06, 1.5
PEAK = 0.8


def write_wav(sample: Sounding, path: Path, /) -> None:
    """16-bit mono at 22,050 samples a second, equal temperament at A = 440 Hz, 96 quarter notes a minute."""
    notes = [note for voice in sample.values() for note in voice]
    second = SECONDS_PER_QUARTER / TICKS_PER_QUARTER
    size = int((max((note.end for note in notes), default=0) * second + RELEASE_SECONDS) * RATE) + 1
    sound = np.zeros(size)
    for note in notes:
        tone = _tone(440.0 * 2 ** ((note.pitch - 69) / 12), note.length * second)
        at = int(note.start * second * RATE)
        sound[at : at + len(tone)] += tone[: size - at]
    sound *= PEAK / max(float(np.abs(sound).max()), 1e-9)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())


def _tone(hertz: float, seconds: float) -> np.ndarray:
    time = np.arange(int((seconds + RELEASE_SECONDS) * RATE)) / RATE
    wave_form = sum(
        weight * np.sin(2 * np.pi * hertz * order * time)
        for order, weight in enumerate(HARMONICS, start=1)
        if hertz * order < RATE / 2
    )
    begin = np.minimum(time / ATTACK_SECONDS, 1.0)
    end = np.clip((seconds + RELEASE_SECONDS - time) / RELEASE_SECONDS, 0.0, 1.0)
    return np.asarray(wave_form * begin * end * np.exp(-time / FADE_SECONDS))
