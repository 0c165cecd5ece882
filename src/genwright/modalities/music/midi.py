"""MIDI files, read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import mido

from genwright.modalities.music.piece import TICKS_PER_QUARTER, Note, NotRead, Piece, one_voice

# Sharps of the major and minor keys in MIDI's notation, from seven flats on.
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
FIFTHS = {name: place - 7 for names in (_MAJOR, _MINOR) for place, name in enumerate(names)}
MICROSECONDS_PER_QUARTER = 625_000  # 96 quarter notes a minute
VELOCITY = 72


def read_midi(path: Path, /) -> Piece:
    """The voices of a file, one per track and channel, drums left out; times at the nearest 48th of a quarter note.

    Raises:
        NotRead: it is no MIDI file.
    """
    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise NotRead("not well-formed", f"{type(error).__name__}: {error}") from None
    if file.ticks_per_beat <= 0:
        raise NotRead("not well-formed", "its time is not counted in beats")
    voices: dict[str, tuple[Note, ...]] = {}
    for number, track in enumerate(file.tracks):
        for channel, notes in sorted(_notes(track, file.ticks_per_beat).items()):
            name = track.name.strip() or f"track {number + 1}"
            voices[name if name not in voices else f"{name} {number + 1}.{channel + 1}"] = one_voice(notes)
    metre, fifths = _signatures(file)
    over, under = (int(part) for part in metre.split("/"))
    end = max((notes[-1].end for notes in voices.values() if notes), default=0)
    bar = TICKS_PER_QUARTER * 4 * over // under
    return Piece("", metre, fifths, voices, tuple(range(0, max(end, 1), bar)))


def _notes(track: mido.MidiTrack, ticks_per_beat: int) -> dict[int, list[Note]]:
    """Notes by channel; one that is never ended is left out."""
    at = 0
    begun: dict[tuple[int, int], int] = {}
    found: dict[int, list[Note]] = {}
    for message in track:
        at += message.time
        if message.type not in ("note_on", "note_off") or message.channel == 9:
            continue
        key = (message.channel, message.note)
        now = round(Fraction(at * TICKS_PER_QUARTER, ticks_per_beat))
        start = begun.pop(key, None)
        if start is not None and now > start:
            found.setdefault(message.channel, []).append(Note(start, now - start, message.note))
        if message.type == "note_on" and message.velocity:
            begun[key] = now
    return found


def _signatures(file: mido.MidiFile) -> tuple[str, int]:
    metre, fifths = "4/4", 0
    for message in (message for track in file.tracks for message in reversed(track)):
        if message.type == "time_signature":
            metre = f"{message.numerator}/{message.denominator}"
        elif message.type == "key_signature":
            fifths = FIFTHS[message.key]
    return metre, fifths


def write_midi(voices: Mapping[str, Sequence[Note]], path: Path, /) -> None:
    """A file with a track per voice, at 96 quarter notes a minute."""
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_QUARTER)
    for number, (name, notes) in enumerate(voices.items()):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        if not number:
            track.append(mido.MetaMessage("set_tempo", tempo=MICROSECONDS_PER_QUARTER))
        at = 0
        # At one tick a note ends before the next one begins.
        for when, is_on, pitch in sorted(
            [(note.start, 1, note.pitch) for note in notes] + [(note.end, 0, note.pitch) for note in notes]
        ):
            kind, velocity = ("note_on", VELOCITY) if is_on else ("note_off", 0)
            track.append(mido.Message(kind, channel=number, note=pitch, velocity=velocity, time=when - at))
            at = when
        file.tracks.append(track)
    file.save(path)
