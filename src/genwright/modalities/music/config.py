"""Settings of the music modality, importable at planning: pydantic only."""

from typing import Literal

from pydantic import Field

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig


class MusicSourceConfig(FilesConfig):
    """Where music comes from: MusicXML (.mxl, .musicxml, .xml), MIDI (.mid, .midi) and ABC (.abc) files.

    A sample is a window of four voices (`windows`), `window_steps` sixteenths long and starting at a bar line, about
    `hop_steps` after the one before; or a whole tune of one voice (`tunes`) of at least `min_notes` notes. With
    `transpose = "c"` every piece is moved to the key signature without accidentals, by at most 6 semitones. Pieces of
    which the first voices share a run of `melody_intervals` intervals stay in one split; with `group = "piece"`, the
    customary split, a test melody can be in training.
    """

    samples: Literal["windows", "tunes"] = "windows"
    window_steps: int = Field(default=64, ge=4, le=4096)
    hop_steps: int = Field(default=32, ge=1, le=4096)
    min_notes: int = Field(default=16, ge=1)
    transpose: Literal["none", "c"] = "none"
    group: Literal["melody", "piece"] = "melody"
    melody_intervals: int = Field(default=14, ge=2, le=64)


class MusicMetricsConfig(Config):
    """An overlap of `overlap_notes` notes with train, moved to any key, counts as copied.

    `folds` are those of the two-sample test. Histograms take `notes_per_sample` notes of a sample, drawn by chance.
    """

    overlap_notes: int = Field(default=16, ge=3, le=1000)
    folds: int = Field(default=5, ge=2, le=50)
    notes_per_sample: int = Field(default=16, ge=1, le=1000)


class MusicTokensConfig(Config):
    """Windows as a grid of cells (step by step, from the highest voice to the lowest), tunes as sequences of events.

    With `transpose_up_to`, training also sees every piece so many semitones higher and lower; nothing else does.
    """

    kind: Literal["music-tokens"] = "music-tokens"
    transpose_up_to: int = Field(default=0, ge=0, le=12)


class MusicRollConfig(Config):
    """Windows as images: a channel per voice, a row per pitch, a column per step."""

    kind: Literal["music-roll"] = "music-roll"


MUSIC = ModalityComponent(
    "music",
    MusicSourceConfig,
    "genwright.modalities.music.modality:MusicModality",
    accepts=("tokens", "grid"),
    extra="music",
    codecs={"tokens": "music-tokens", "grid": "music-roll"},
    metrics=MusicMetricsConfig,
    baselines=(("markov", "music-tokens"),),
)
MUSIC_TOKENS = Component(
    "music-tokens",
    MusicTokensConfig,
    "genwright.modalities.music.tokens:MusicTokens",
    accepts=("tokens",),
    extra="music",
    modalities=("music",),
)
MUSIC_ROLL = Component(
    "music-roll",
    MusicRollConfig,
    "genwright.modalities.music.roll:RollCodec",
    accepts=("grid",),
    extra="music",
    modalities=("music",),
)
