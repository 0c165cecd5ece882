"""The first samples as files to hear and to read: MIDI, WAV, MusicXML and, where verovio is there, a score as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from genwright.modalities.music.midi import write_midi
from genwright.modalities.music.scoring import musicxml_of
from genwright.modalities.music.sounding import Sounding
from genwright.modalities.music.synthesis import write_wav

WRITTEN = 8


def write_music(samples: Sequence[Sounding], folder: Path, /) -> list[Path]:
    """What was written of at most eight samples."""
    written: list[Path] = []
    for number, sample in enumerate(samples[:WRITTEN]):
        stem = folder / f"sample-{number + 1}"
        midi, wav, xml = (stem.with_suffix(f".{kind}") for kind in ("mid", "wav", "musicxml"))
        write_midi(sample, midi)
        write_wav(sample, wav)
        text = musicxml_of(sample, title=f"Sample {number + 1}")
        xml.write_text(text, encoding="utf-8")
        written += [midi, wav, xml]
        if find_spec("verovio") is not None:
            written.append(_engraved(text, stem.with_suffix(".svg")))
    return written


def _engraved(text: str, path: Path) -> Path:
    """The first page of the score."""
    import verovio

    toolkit = verovio.toolkit()
    toolkit.setOptions({"scale": 35, "adjustPageHeight": True, "header": "none", "footer": "none", "xmlIdSeed": 1})
    toolkit.loadData(text)
    path.write_text(toolkit.renderToSVG(1), encoding="utf-8")
    return path
