"""Notes as MusicXML, in bars of four quarters on one staff per voice; triplets come as such, odd lengths tied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from genwright.modalities.music.piece import TICKS_PER_QUARTER, Note
from genwright.modalities.music.sounding import Sounding

BAR = 4 * TICKS_PER_QUARTER
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
TYPES = {192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th"}
# Ticks of every length that one sign stands for: plain, dotted, triplet; the longest first.
SIGNS = sorted(
    [(ticks, name, 0, False) for ticks, name in TYPES.items()]
    + [(ticks * 3 // 2, name, 1, False) for ticks, name in TYPES.items() if ticks % 2 == 0]
    + [(ticks * 2 // 3, name, 0, True) for ticks, name in TYPES.items() if ticks % 3 == 0 and ticks < 192],
    reverse=True,
)
CLEFS = {"tenor": ("G", 2, -1), "bass": ("F", 4, 0)}


def musicxml_of(sample: Sounding, /, *, title: str) -> str:
    """A score that notation programs open."""
    end = max((notes[-1].end for notes in sample.values() if notes), default=BAR)
    num_bars = -(-end // BAR)
    parts = "".join(
        f'<score-part id="P{place}"><part-name>{escape(name.capitalize())}</part-name></score-part>'
        for place, name in enumerate(sample, start=1)
    )
    body = "".join(
        f'<part id="P{place}">{_bars(notes, num_bars, name)}</part>'
        for place, (name, notes) in enumerate(sample.items(), start=1)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">'
    work = f"<work><work-title>{escape(title)}</work-title></work>"
    return f"{head}{work}<part-list>{parts}</part-list>{body}</score-partwise>\n"


def _bars(notes: Sequence[Note], num_bars: int, name: str) -> str:
    spans = _spans(notes, num_bars * BAR)
    sign, line, octaves = CLEFS.get(name, ("G", 2, 0))
    change = f"<clef-octave-change>{octaves}</clef-octave-change>" if octaves else ""
    clef = f"<clef><sign>{sign}</sign><line>{line}</line>{change}</clef>"
    time = "<time><beats>4</beats><beat-type>4</beat-type></time>"
    first = f"<attributes><divisions>{TICKS_PER_QUARTER}</divisions><key><fifths>0</fifths></key>{time}{clef}"
    out = []
    for bar in range(num_bars):
        body = "".join(_signs(*span) for span in spans if span[0] // BAR == bar)
        out.append(f'<measure number="{bar + 1}">{first + "</attributes>" if not bar else ""}{body}</measure>')
    return "".join(out)


def _spans(notes: Sequence[Note], end: int) -> list[tuple[int, int, int | None, bool, bool]]:
    """Stretches inside one bar: start, end, pitch (None: silence), whether tied to the one before and the one after."""
    pieces: list[tuple[int, int, int | None]] = []
    at = 0
    for note in notes:
        pieces += [(at, note.start, None)] if note.start > at else []
        pieces.append((note.start, note.end, note.pitch))
        at = note.end
    pieces += [(at, end, None)] if at < end else []
    out = []
    for start, stop, pitch in pieces:
        cuts = [start, *range(start - start % BAR + BAR, stop, BAR), stop]
        for before, after in pairwise(cuts):
            held = pitch is not None
            out.append((before, after, pitch, held and before > start, held and after < stop))
    return out


def _signs(start: int, end: int, pitch: int | None, tied_before: bool, tied_after: bool) -> str:
    out, left = [], end - start
    while left:
        ticks, name, dots, triplet = next((sign for sign in SIGNS if sign[0] <= left), (left, "64th", 0, False))
        first, last = left == end - start, ticks == left
        before, after = (tied_before or not first), (tied_after or not last)
        ties = [kind for kind, on in (("stop", before), ("start", after)) if on and pitch is not None]
        out.append(_sign(pitch, ticks, name, dots, triplet, ties))
        left -= ticks
    return "".join(out)


def _sign(pitch: int | None, ticks: int, name: str, dots: int, triplet: bool, ties: Sequence[str]) -> str:
    change = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    played = "".join(f'<tie type="{kind}"/>' for kind in ties)
    tied = "".join(f'<tied type="{kind}"/>' for kind in ties)
    return (
        f"<note>{_pitch(pitch)}<duration>{ticks}</duration>{played}"
        f"<type>{name}</type>{'<dot/>' * dots}{change if triplet else ''}"
        f"{f'<notations>{tied}</notations>' if ties else ''}</note>"
    )


def _pitch(pitch: int | None) -> str:
    if pitch is None:
        return "<rest/>"
    name = NAMES[pitch % 12]
    alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>", "": ""}[name[1:]]
    return f"<pitch><step>{name[0]}</step>{alter}<octave>{pitch // 12 - 1}</octave></pitch>"
