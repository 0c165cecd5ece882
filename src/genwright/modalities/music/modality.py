"""Music: files, validity, distance, preview, writing; `metrics` measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.modalities.music.config import MusicMetricsConfig, MusicSourceConfig
from genwright.modalities.music.metrics import measure
from genwright.modalities.music.overlap import nearest_by_runs
from genwright.modalities.music.piece import VOICES, Note
from genwright.modalities.music.preview import piano_rolls
from genwright.modalities.music.reading import read_music
from genwright.modalities.music.sounding import Sounding, is_tunes, sounding
from genwright.modalities.music.tunes import notes_of_tune
from genwright.modalities.music.voices import from_text, pitches_of
from genwright.modalities.music.writing import write_music

# What a choir sings and a fiddle plays, and six semitones on either side for pieces that were moved to another key.
RANGES = {"soprano": (54, 87), "alto": (47, 83), "tenor": (41, 76), "bass": (29, 71), "tune": (49, 107)}


class MusicModality:
    """Windows of four voices, a text each (see `voices`), or tunes, one text (see `tunes`)."""

    name = "music"
    suffix = "mid"

    def read(self, source: MusicSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """A table per piece; see `genwright.modalities.music.reading`.

        Raises:
            DataError: a file is no music file; or a piece is not taken, where `on_error` is `fail`.
        """
        yield from read_music(source, root=root)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A window has four voices of one length and at least one note, a tune notes; none is out of all range."""
        names = ("tune",) if is_tunes(rows) else VOICES
        columns = [rows.column(name).to_pylist() for name in names]
        return [_fault(dict(zip(names, texts, strict=True))) for texts in zip(*columns, strict=True)]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The notes, their pitches counted from the first one: the same in every key."""
        return [_key(sample) for sample in sounding(rows)]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """1 - the Jaccard similarity of the runs of eight notes in each voice, in any key."""
        return nearest_by_runs(sounding(rows), sounding(reference))

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: MusicMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.music.metrics`."""
        return measure(candidates, train=train, test=test, config=config, seed=seed)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """Piano rolls of the first samples, as SVG."""
        target = path.with_suffix(".svg")
        target.write_text(piano_rolls(sounding(rows)), encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """`samples.parquet` with all, and of the first ones MIDI, MusicXML, WAV and, with verovio, a score."""
        pq.write_table(rows, folder / "samples.parquet")
        return (folder / "samples.parquet", *write_music(sounding(rows), folder))


def _fault(texts: dict[str, str | None]) -> str | None:
    """Why a sample is not legal."""
    try:
        if "tune" in texts:
            pitches = {"tune": np.array([note.pitch for note in notes_of_tune(texts["tune"] or "")[0]])}
        else:
            voices = {name: from_text(text or "") for name, text in texts.items()}
            if len({len(steps) for steps in voices.values()}) != 1:
                return "unequal-voices"
            if any((steps < 0).any() for steps in voices.values()):
                return "unknown-steps"
            pitches = {name: pitches_of(steps) for name, steps in voices.items()}
    except DataError:
        return "not-well-formed"
    sounding_pitches = {name: found[found >= 0] for name, found in pitches.items()}
    if not any(len(found) for found in sounding_pitches.values()):
        return "empty"
    for name, found in sounding_pitches.items():
        low, high = RANGES[name]
        if ((found < low) | (found > high)).any():
            return "out-of-range"
    return None


def _key(sample: Sounding) -> bytes:
    first: Note | None = next((notes[0] for notes in sample.values() if notes), None)
    base = 0 if first is None else first.pitch
    body = [[(note.start, note.length, note.pitch - base) for note in notes] for notes in sample.values()]
    return repr(body).encode()
