"""Reading ABC: tunes of one voice. Repeats and endings are read once, in the order in which they are written.

Source: the ABC standard 2.1, sections 2.2 (tunes of a file), 3 (information fields) and 4 (the tune body).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from genwright.modalities.music.piece import Note, NotRead, Piece, one_voice, ticks

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
SHARPS = "FCGDAEB"
MODES = {"maj": 0, "ion": 0, "lyd": 1, "mix": -1, "dor": -2, "min": -3, "m": -3, "aeo": -3, "phr": -4, "loc": -5}
TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_LENGTH = r"(?P<length>\d*(?:/+\d*)?)"
_TOKENS = re.compile(
    rf"""(?P<skip>"[^"]*"|![^!\n]*!|\+[^+\n]*\+|\{{[^}}]*\}}|%.*|[\s\\`y~.*$H-Wh-w]|\)|\((?!\d))
    |\[(?P<inline>[A-Za-z]):(?P<value>[^\]]*)\]
    |(?P<bar>\]?:*\[?\|[|\]:]*(?:\s*\[?\d(?:[,-]\d)*)?|::+|\[\d(?:[,-]\d)*|\]|\d(?=[\s(\[]))
    |\((?P<tuplet>\d(?::\d*){{0,2}})
    |(?P<broken>>+|<+)
    |(?P<chord>\[(?:[\^_=]*[A-Ga-gz][,']*[\d/]*-?)+\])(?P<chord_length>[\d/]*)
    |(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-gzx])(?P<octave>[,']*){_LENGTH}
    |(?P<tie>-)""",
    re.VERBOSE,
)
_IN_CHORD = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)([\d/]*)")


def read_abc(path: Path, /) -> list[Piece | NotRead]:
    """The tunes of a file, each begun by `X:`; in the place of one that cannot be read, why.

    Fields before the first tune are in force in all. An empty line ends a tune: what follows it is text.
    """
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("X:")]
    head = lines[: starts[0]] if starts else []
    if not starts or any(line.startswith("K:") for line in head):
        starts, head = [0, *starts], []
    return [_tune(head + lines[start:end]) for start, end in pairwise([*starts, len(lines)])]


def _tune(lines: Sequence[str]) -> Piece | NotRead:
    """The tune of its lines, or why there is none."""
    reader = _Reader()
    try:
        for line in lines:
            if reader.in_body and not line.strip():
                break
            reader.take(line)
        return reader.piece()
    except NotRead as error:
        return error


@dataclass
class _Event:
    """Pitches that begin together (none: silence), how many quarters they last, whether they go on into the next."""

    pitches: tuple[int, ...]
    length: Fraction
    tied: bool = False


@dataclass
class _Reader:
    """A tune on its way: fields in force, events so far, and before which of them bars begin."""

    title: str = ""
    metre: str = "4/4"
    unit: Fraction | None = None
    fifths: int = 0
    first_fifths: int | None = None
    in_body: bool = False
    events: list[_Event] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    altered: dict[str, int] = field(default_factory=dict)
    tuplet: tuple[Fraction, int] = (Fraction(1), 0)
    next_factor: Fraction = Fraction(1)

    def take(self, line: str) -> None:
        """One line: a field, or music."""
        if found := re.match(r"\s*([A-Za-z]):(.*)", line):
            self._field(found[1], found[2].split("%")[0].strip())
        elif self.in_body:
            self._music(line)

    def _field(self, name: str, value: str) -> None:
        match name:
            case "T":
                self.title = self.title or value
            case "M":
                self.metre = {"C": "4/4", "C|": "2/2"}.get(value, value)
            case "L":
                self.unit = _fraction(value)
            case "K":
                self.fifths, self.in_body = _fifths(value), True
                self.first_fifths = self.fifths if self.first_fifths is None else self.first_fifths
            case "V":
                raise NotRead("not one voice", f"V:{value}")

    def _music(self, line: str) -> None:
        at = 0
        while at < len(line):
            found = _TOKENS.match(line, at)
            if found is None or found.end() == at:
                raise NotRead("not read", f"'{line[at : at + 12]}' in: {line.strip()[:60]}")
            at = found.end()
            self._token(found)

    def _token(self, found: re.Match[str]) -> None:
        if found["inline"]:
            self._field(found["inline"], found["value"].strip())
        elif found["bar"]:
            self.bars.append(len(self.events))
            self.altered = {}
        elif found["tuplet"]:
            self.tuplet = self._tuplet(found["tuplet"])
        elif found["broken"]:
            self._break(found["broken"])
        elif found["chord"]:
            notes = [one.groups() for one in _IN_CHORD.finditer(found["chord"])]
            pitches = tuple(self._pitch(sign or "", letter, octave) for sign, letter, octave, _ in notes)
            self._add(pitches, _multiple(notes[0][3]) * _multiple(found["chord_length"]))
            self.events[-1].tied = "-" in found["chord"]
        elif found["letter"]:
            silent = found["letter"] in "zx"
            pitch = () if silent else (self._pitch(found["accidental"] or "", found["letter"], found["octave"]),)
            self._add(pitch, _multiple(found["length"]))
        elif found["tie"] and self.events:
            self.events[-1].tied = True

    def _tuplet(self, text: str) -> tuple[Fraction, int]:
        count, *more = (int(part) if part else 0 for part in text.split(":"))
        if not count:
            raise NotRead("not read", f"'({text}' as a tuplet")
        compound = self.metre.partition("/")[0] in ("6", "9", "12")
        inside = (more and more[0]) or TUPLETS.get(count, 3 if compound else 2)
        return Fraction(inside, count), (len(more) > 1 and more[1]) or count

    def _break(self, marks: str) -> None:
        """The dotted rhythm: the note before and the one after share their time unequally."""
        if not self.events:
            raise NotRead("not read", f"'{marks}' before any note")
        short = Fraction(1, 2 ** len(marks))
        before, after = (2 - short, short) if marks[0] == ">" else (short, 2 - short)
        self.events[-1].length *= before
        self.next_factor = after

    def _pitch(self, sign: str, letter: str, octave: str) -> int:
        name = letter.upper()
        marked = f"{letter}{octave}"
        if sign:
            self.altered[marked] = ACCIDENTALS[sign]
        place = SHARPS.index(name)
        by_key = int(place < self.fifths) - int(6 - place < -self.fifths)
        height = octave.count("'") - octave.count(",") + int(letter.islower())
        return 60 + 12 * height + LETTERS[name] + self.altered.get(marked, by_key)

    def _add(self, pitches: tuple[int, ...], multiple: Fraction) -> None:
        factor, left = self.tuplet
        length = 4 * multiple * self._unit() * self.next_factor * (factor if left else 1)
        self.tuplet, self.next_factor = (factor, max(0, left - 1)), Fraction(1)
        self.events.append(_Event(pitches, length))

    def _unit(self) -> Fraction:
        """The unit note length: L:, or an eighth from a metre of 3/4 on and a sixteenth below it."""
        if self.unit is None:
            self.unit = Fraction(1, 8) if _fraction(self.metre) >= Fraction(3, 4) else Fraction(1, 16)
        return self.unit

    def piece(self) -> Piece:
        """The tune.

        Raises:
            NotRead: there is none.
        """
        if not self.in_body:
            raise NotRead("no tune", "no line begins with K:")
        at, starts, notes = Fraction(0), [], list[Note]()
        open_at: dict[int, Fraction] = {}
        for event in self.events:
            starts.append(at)
            for pitch in event.pitches:
                begun = open_at.pop(pitch, at)
                if event.tied:
                    open_at[pitch] = begun
                else:
                    notes.append(_note(begun, at + event.length, pitch))
            at += event.length
        notes += [_note(begun, at, pitch) for pitch, begun in open_at.items()]
        bars = sorted({0, *(_ticks(starts[place]) for place in self.bars if place < len(starts))})
        return Piece(self.title, self.metre, self.first_fifths or 0, {"melody": one_voice(notes)}, tuple(bars))


def _note(begun: Fraction, end: Fraction, pitch: int) -> Note:
    return Note(_ticks(begun), _ticks(end - begun), pitch)


def _ticks(quarters: Fraction) -> int:
    return ticks(quarters.numerator, per_quarter=quarters.denominator)


def _multiple(text: str) -> Fraction:
    """How many unit lengths `3`, `/`, `//`, `3/2` or nothing stand for."""
    found = re.fullmatch(r"(\d*)(/*)(\d*)", text)
    if found is None:
        raise NotRead("not read", f"'{text}' as a length")
    over, slashes, under = found.groups()
    below = int(under) if under else 2 ** len(slashes)
    if below == 0:
        raise NotRead("not read", f"'{text}' as a length")
    return Fraction(int(over or 1), below)


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        raise NotRead("not read", f"'{text}' as a metre or a length") from None


def _fifths(text: str) -> int:
    """The key signature: of G 1, of Am 0, of D mixolydian 1."""
    found = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text)
    if found is None:
        if text.lower() in ("", "none", "hp"):
            return 0
        raise NotRead("not read", f"'{text}' as a key")
    mode = found[3].lower()
    shift = MODES.get(mode[:3], MODES.get(mode, 0 if not mode else None))
    if shift is None:
        raise NotRead("not read", f"'{text}' as a key")
    return SHARPS.index(found[1]) - 1 + {"#": 7, "b": -7, "": 0}[found[2]] + shift
