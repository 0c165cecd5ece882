"""Files to samples: windows of four voices, or tunes. Pieces with the same melody share a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.core.registry import load_reference
from genwright.detect.groups import DisjointSets
from genwright.modalities.files.sources import SourceFile, list_files
from genwright.modalities.music.config import MusicSourceConfig
from genwright.modalities.music.piece import TICKS_PER_STEP, VOICES, Note, NotRead, Piece
from genwright.modalities.music.tunes import text_of_tune
from genwright.modalities.music.voices import steps_of, table_of

READERS: Mapping[str, str] = {
    **dict.fromkeys((".mxl", ".musicxml", ".xml"), "genwright.modalities.music.musicxml:read_musicxml"),
    **dict.fromkeys((".mid", ".midi"), "genwright.modalities.music.midi:read_midi"),
    ".abc": "genwright.modalities.music.abc_notation:read_abc",
}


def read_music(source: MusicSourceConfig, /, *, root: Path) -> Iterator[pa.Table | Unreadable]:
    """A table per piece. All pieces are held in memory before the first, for groups are of all.

    Raises:
        DataError: a file is no music file; or a piece is not taken, where `on_error` is `fail`.
    """
    pieces: list[tuple[str, Piece]] = []
    for name, piece in _pieces(list_files(source, root=root), source):
        if isinstance(piece, Piece):
            pieces.append((name, piece))
        elif source.on_error == "fail":
            raise DataError(f"{name} is not taken: {piece}", hint="on_error = 'drop' leaves such pieces out")
        else:
            yield Unreadable(name, piece.reason, piece.detail)
    groups = list(range(len(pieces)))
    if source.group == "melody":
        groups = melody_groups([piece for _, piece in pieces], num_intervals=source.melody_intervals)
    for (name, piece), group in zip(pieces, groups, strict=True):
        found = _windows(piece, source) if source.samples == "windows" else _tune(piece)
        if not len(found):
            yield Unreadable(name, "too short", f"fewer than {source.window_steps} sixteenths after the first bar line")
            continue
        facts = {
            "id": [f"{name}#{at + 1}" for at in range(len(found))] if len(found) > 1 else [name],
            "group": [f"{source.group} of {pieces[group][0]}"] * len(found),
            "title": [piece.title or PurePosixPath(name).stem] * len(found),
            "metre": [piece.metre] * len(found),
            "fifths": [piece.fifths] * len(found),
        }
        yield pa.table({**facts, **{name: found.column(name) for name in found.column_names}})


def _pieces(files: Sequence[SourceFile], source: MusicSourceConfig) -> Iterator[tuple[str, Piece | NotRead]]:
    """The pieces of all files, each with its name: that of its file, and its place where the file has several."""
    for file in files:
        found = _read(file.path)
        for at, piece in enumerate(found, start=1):
            name = f"{file.name}#{at}" if len(found) > 1 else file.name
            yield name, piece if isinstance(piece, NotRead) else _taken(piece, source)


def _read(path: Path) -> list[Piece | NotRead]:
    """What its reader finds in a file."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is no music file by its name", hint=f"name files that end in {', '.join(sorted(READERS))}"
        )
    read: Callable[[Path], Piece | list[Piece | NotRead]] = load_reference(reader, extra="music")
    try:
        found = read(path)
    except NotRead as error:
        return [error]
    return found if isinstance(found, list) else [found]


def _taken(piece: Piece, source: MusicSourceConfig) -> Piece | NotRead:
    """The piece as the source wants it, or why it cannot be had so."""
    if not any(piece.voices.values()):
        return NotRead("empty", "it holds no note")
    try:
        piece = _four_voices(piece) if source.samples == "windows" else _melody(piece, source)
    except NotRead as error:
        return error
    return piece.in_c() if source.transpose == "c" else piece


def _four_voices(piece: Piece) -> Piece:
    """The piece with the four voices of a choir: the parts so named, or the only four parts that hold notes."""
    named = {voice: [name for name in piece.voices if name.lower().split(" ")[0] == voice] for voice in VOICES}
    sounding = [name for name, notes in piece.voices.items() if notes]
    if all(len(names) == 1 for names in named.values()):
        chosen = {voice: names[0] for voice, names in named.items()}
    elif len(sounding) == len(VOICES):
        chosen = dict(zip(VOICES, sounding, strict=True))
    else:
        raise NotRead("not four voices", f"its parts are {', '.join(piece.voices)}")
    silent = [voice for voice, name in chosen.items() if not piece.voices[name]]
    if silent:
        raise NotRead("not four voices", f"{silent[0]} holds no note")
    voices = {voice: piece.voices[name] for voice, name in chosen.items()}
    return Piece(piece.title, piece.metre, piece.fifths, voices, piece.bars)


def _melody(piece: Piece, source: MusicSourceConfig) -> Piece:
    (name, notes), *others = [(name, notes) for name, notes in piece.voices.items() if notes]
    if others:
        raise NotRead("not one voice", f"its parts are {', '.join(piece.voices)}")
    if len(notes) < source.min_notes:
        raise NotRead("too short", f"{len(notes)} notes, and min_notes = {source.min_notes}")
    return Piece(piece.title, piece.metre, piece.fifths, {name: notes}, piece.bars)


def _windows(piece: Piece, source: MusicSourceConfig) -> pa.Table:
    """Windows from the first bar line on; the last one ends where the piece does, or less than a bar before."""
    width, found = source.window_steps * TICKS_PER_STEP, []
    following = -1
    fitting = [bar for bar in piece.bars if bar + width <= piece.length]
    for bar in fitting:
        if bar >= following or bar == fitting[-1]:
            found.append([steps_of(notes, first=bar, count=source.window_steps) for notes in piece.voices.values()])
            following = bar + source.hop_steps * TICKS_PER_STEP
    return table_of(np.array(found, dtype=np.int64).reshape(-1, len(VOICES), source.window_steps))


def _tune(piece: Piece) -> pa.Table:
    (notes,) = piece.voices.values()
    return pa.table({"tune": [text_of_tune(notes, bars=piece.bars)]})


def melody_groups(pieces: Sequence[Piece], /, *, num_intervals: int) -> list[int]:
    """For each piece the first piece of its group: pieces whose first voices share a run of intervals, or a title.

    A run counts in whatever key and rhythm, repeated notes counting once.
    """
    sets = DisjointSets(len(pieces))
    seen: dict[object, int] = {}
    for number, piece in enumerate(pieces):
        marks: set[object] = {piece.title.casefold()} if piece.title else set()
        for mark in marks | _runs(next(iter(piece.voices.values())), num_intervals):
            sets.union(seen.setdefault(mark, number), number)
    return [sets.find(number) for number in range(len(pieces))]


def _runs(notes: Sequence[Note], num_intervals: int) -> set[object]:
    pitches = [note.pitch for at, note in enumerate(notes) if not at or note.pitch != notes[at - 1].pitch]
    steps = [after - before for before, after in pairwise(pitches)]
    count = max(1, len(steps) - num_intervals + 1)
    return {tuple(steps[at : at + num_intervals]) for at in range(count)}
