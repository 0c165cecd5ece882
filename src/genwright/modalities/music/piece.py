"""A piece of music as its readers give it: voices of notes, and where bars begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

TICKS_PER_QUARTER = 48  # sixteenths, thirty-seconds, and triplets of both are whole numbers
TICKS_PER_STEP = 12  # a sixteenth
VOICES = ("soprano", "alto", "tenor", "bass")


class NotRead(Exception):  # noqa: N818 - it says what became of the piece, and is no fault of the program
    """A piece that is not taken: `reason` in a word or two, `detail` for the one who looks."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Note:
    """A note in ticks from the start of the piece; `pitch` is a MIDI number, 60 the middle C."""

    start: int
    length: int
    pitch: int

    @property
    def end(self) -> int:
        """The first tick after it."""
        return self.start + self.length


@dataclass(frozen=True)
class Piece:
    """Voices by name, from the highest to the lowest; `fifths` is the key signature, sharps positive.

    Notes of a voice do not overlap and stand in their order. `bars` are the ticks at which bars begin.
    """

    title: str
    metre: str
    fifths: int
    voices: dict[str, tuple[Note, ...]]
    bars: tuple[int, ...]

    @property
    def length(self) -> int:
        """Ticks to the end of the last note."""
        return max((notes[-1].end for notes in self.voices.values() if notes), default=0)

    def in_c(self) -> Piece:
        """The piece at the key signature without accidentals, moved by at most 6 semitones."""
        shift = (-7 * self.fifths) % 12
        shift -= 12 if shift > 6 else 0
        voices = {
            name: tuple(replace(note, pitch=note.pitch + shift) for note in notes)
            for name, notes in self.voices.items()
        }
        return replace(self, fifths=0, voices=voices)


def ticks(length: int, /, *, per_quarter: int) -> int:
    """Ticks of a length of which `per_quarter` make a quarter note.

    Raises:
        NotRead: it is no whole number of ticks.
    """
    found, rest = divmod(length * TICKS_PER_QUARTER, per_quarter)
    if rest:
        raise NotRead("too fine a rhythm", f"a length of {length}/{per_quarter} quarter notes")
    return found


def one_voice(notes: Iterable[Note], /) -> tuple[Note, ...]:
    """The highest line: of notes that start together the highest, each cut off where the next one starts."""
    ordered = sorted(notes, key=lambda note: (note.start, -note.pitch))
    kept = [note for at, note in enumerate(ordered) if not at or note.start > ordered[at - 1].start]
    nexts = [note.start for note in kept[1:]] + [2**62]
    return tuple(
        replace(note, length=min(note.length, following - note.start))
        for note, following in zip(kept, nexts, strict=True)
    )
