"""Reading MusicXML, plain or packed. Entities are refused; what is drawn and not played is passed over."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from genwright.modalities.music.piece import Note, NotRead, Piece, one_voice, ticks

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MOST_BYTES = 64 << 20


def read_musicxml(path: Path, /) -> Piece:
    """The parts of a score by name, repeats played once. Of several lines in a part the first one is read.

    Raises:
        NotRead: it is no MusicXML file, or has no part.
    """
    root = _root(path)
    names = {part.get("id"): _text(part, "part-name").strip() for part in root.iter("score-part")}
    parts = root.findall("part")
    if root.tag != "score-partwise" or not parts:
        raise NotRead("no score by parts", f"its root is <{root.tag}> with {len(parts)} parts")
    voices: dict[str, tuple[Note, ...]] = {}
    bars: tuple[int, ...] = ()
    for place, part in enumerate(parts):
        name = names.get(part.get("id")) or f"part {place + 1}"
        try:
            notes, found = _Part(part).read()
        except (ValueError, KeyError, ZeroDivisionError) as error:
            raise NotRead("not well-formed", f"part '{name}': {error}") from None
        voices[name if name not in voices else f"{name} {place + 1}"] = notes
        bars = bars or found
    title = _text(root, "work/work-title") or _text(root, "movement-title")
    beats, of = _text(root, ".//time/beats") or "4", _text(root, ".//time/beat-type") or "4"
    fifths = int(_text(root, ".//key/fifths") or 0)
    return Piece(title if title != path.name else "", f"{beats}/{of}", fifths, voices, bars)


def _root(path: Path) -> Element:
    try:
        found: Element = fromstring(_bytes(path), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except (ParseError, DefusedXmlException, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
        raise NotRead("not well-formed", f"{type(error).__name__}: {error}") from None
    return found


def _bytes(path: Path) -> bytes:
    body = path.read_bytes()
    if not body.startswith(b"PK"):
        return body
    with zipfile.ZipFile(path) as archive:
        container = fromstring(_member(archive, "META-INF/container.xml"), forbid_dtd=False)
        first = next(container.iter("rootfile"), None)
        if first is None:
            raise NotRead("not well-formed", "its container names no score")
        return _member(archive, str(first.get("full-path")))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise NotRead("too large", f"{name} unpacks to {archive.getinfo(name).file_size:,} bytes")
    return archive.read(name)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


class _Part:
    """One part on its way to notes; the cursor counts ticks from the start."""

    def __init__(self, part: Element) -> None:
        self._part = part
        self._divisions = 1
        self._cursor = 0
        self._last = 0
        self._line: str | None = None
        self._open: dict[int, tuple[int, int]] = {}  # tied notes by pitch: start and end
        self._notes: list[Note] = []

    def read(self) -> tuple[tuple[Note, ...], tuple[int, ...]]:
        """Its notes, and where its bars begin; a first bar that is shorter than the others begins none."""
        starts, lengths = [], []
        for measure in self._part.findall("measure"):
            start, furthest = self._cursor, self._cursor
            for element in measure:
                self._take(element)
                furthest = max(furthest, self._cursor)
            self._cursor = furthest
            starts.append(start)
            lengths.append(furthest - start)
        for pitch, (begun, end) in self._open.items():
            self._add(begun, end, pitch)
        pickup = len(lengths) > 1 and lengths[0] < lengths[1]
        return one_voice(self._notes), tuple(starts[1:] if pickup else starts)

    def _take(self, element: Element) -> None:
        match element.tag:
            case "attributes":
                self._divisions = int(element.findtext("divisions") or self._divisions)
            case "forward":
                self._cursor += self._length(element)
            case "backup":
                self._cursor -= self._length(element)
            case "note":
                self._take_note(element)

    def _length(self, element: Element) -> int:
        return ticks(int(element.findtext("duration") or 0), per_quarter=self._divisions)

    def _take_note(self, note: Element) -> None:
        if note.find("grace") is not None:
            return
        length, chord = self._length(note), note.find("chord") is not None
        start = self._last if chord else self._cursor
        self._cursor, self._last = (self._cursor, self._last) if chord else (start + length, start)
        line = note.findtext("voice") or "1"
        self._line = self._line or line
        pitch = note.find("pitch")
        if pitch is None or line != self._line:
            return
        self._sound(_midi(pitch), start, start + length, {tie.get("type") for tie in note.findall("tie")})

    def _sound(self, pitch: int, start: int, end: int, ties: set[str | None]) -> None:
        begun, until = self._open.pop(pitch, (start, start))
        if until != start or "stop" not in ties:
            if until != begun:
                self._add(begun, until, pitch)
            begun = start
        if "start" in ties:
            self._open[pitch] = (begun, end)
        else:
            self._add(begun, end, pitch)

    def _add(self, start: int, end: int, pitch: int) -> None:
        if end > start:
            self._notes.append(Note(start, end - start, pitch))


def _midi(pitch: Element) -> int:
    step, octave = pitch.findtext("step") or "", int(pitch.findtext("octave") or "")
    return 12 * (octave + 1) + STEPS[step] + round(float(pitch.findtext("alter") or 0))
