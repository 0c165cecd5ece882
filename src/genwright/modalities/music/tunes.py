"""The text of a tune: events on one line, the same for the same notes.

`:N` says that notes are N ticks long from there on (48 to a quarter note), a number is a MIDI pitch, `.` is silence,
`|` a bar line. All are separated by spaces, and a tune begins with a length.
"""

from __future__ import annotations

from collections.abc import Sequence

from genwright.core import DataError
from genwright.modalities.music.piece import Note

BAR, REST = "|", "."
MOST_PITCH, MOST_TICKS = 127, 48 * 64


def text_of_tune(notes: Sequence[Note], /, *, bars: Sequence[int]) -> str:
    """The text of a voice that starts at its first note.

    >>> text_of_tune([Note(0, 24, 67), Note(24, 24, 69), Note(48, 48, 71)], bars=[0, 48])
    ':24 67 69 | :48 71'
    """
    words: list[str] = []
    length, at = 0, notes[0].start
    lines = [bar for bar in bars if at < bar < notes[-1].end]
    for note in notes:
        parts = [(note.start - at, REST)] if note.start > at else []
        for ticks, word in [*parts, (note.length, str(note.pitch))]:
            words += [BAR] * sum(1 for bar in lines if bar <= at)
            lines = [bar for bar in lines if bar > at]
            words += [f":{ticks}"] if ticks != length else []
            words.append(word)
            length, at = ticks, at + ticks
    return " ".join(words)


def transposed(word: str, semitones: int, /) -> str:
    """A word of a tune so many semitones higher; what is no pitch, or would be none then, stays.

    >>> [transposed(word, 2) for word in (":24", "67", "|")]
    [':24', '69', '|']
    """
    pitch = int(word) + semitones if word.isdecimal() else -1
    return str(pitch) if 0 <= pitch <= MOST_PITCH else word


def notes_of_tune(text: str, /) -> tuple[list[Note], list[int]]:
    """The notes, and the ticks at which bars begin.

    Raises:
        DataError: a word is none of a tune's, or there is no note.
    """
    notes: list[Note] = []
    bars = [0]
    length, at = 0, 0
    for place, word in enumerate(text.split()):
        if word == BAR:
            bars.append(at)
            continue
        if word.startswith(":") and word[1:].isdecimal() and 0 < int(word[1:]) <= MOST_TICKS:
            length = int(word[1:])
            continue
        if not length or not (word == REST or (word.isdecimal() and int(word) <= MOST_PITCH)):
            raise DataError(
                f"word {place + 1} of a tune is '{word}'",
                hint="a tune begins with a length such as ':24'; then come pitches, '.', '|' and lengths",
            )
        if word != REST:
            notes.append(Note(at, length, int(word)))
        at += length
    if not notes:
        raise DataError("a tune holds no note", hint="a tune looks like ':24 67 69 | :48 71'")
    return notes, bars
