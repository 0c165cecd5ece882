"""Validity, sameness, distance, counterpoint and the measured claims."""

import wave

import numpy as np
import pyarrow as pa
import pytest

from genwright.core.protocols import Candidate, ModelledModality
from genwright.measure import derive
from genwright.modalities.music.config import MusicMetricsConfig
from genwright.modalities.music.counterpoint import crossings, parallels
from genwright.modalities.music.midi import read_midi
from genwright.modalities.music.modality import MusicModality
from genwright.modalities.music.musicxml import read_musicxml
from genwright.modalities.music.overlap import SharedRuns
from genwright.modalities.music.sounding import grid_of, sounding

MUSIC = MusicModality()


def window(soprano="72 _", alto="67 _", tenor="60 _", bass="48 _"):
    return pa.table({"soprano": [soprano], "alto": [alto], "tenor": [tenor], "bass": [bass]})


def moved(rows, semitones):
    def shifted(text):
        return " ".join(str(int(word) + semitones) if word.isdecimal() else word for word in text.split())

    return pa.table({name: [shifted(text) for text in rows.column(name).to_pylist()] for name in rows.column_names})


def drawn(seed, *, count=60, top=76):
    rng = np.random.default_rng(seed)

    def voice(low):
        return [" ".join(str(low + step) for step in rng.integers(0, 9, 24)) for _ in range(count)]

    return pa.table({"soprano": voice(top), "alto": voice(67), "tenor": voice(58), "bass": voice(45)})


def test_it_keeps_the_protocol():
    assert isinstance(MUSIC, ModelledModality)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (window(), None),
        (window(bass="48 _ _"), "unequal-voices"),
        (window(bass="? ?"), "unknown-steps"),
        (window(bass="_ 48"), "not-well-formed"),
        (window(bass="90 _"), "out-of-range"),
        (window(". .", ". .", ". .", ". ."), "empty"),
        (pa.table({"tune": [":24 67"]}), None),
        (pa.table({"tune": ["67"]}), "not-well-formed"),
        (pa.table({"tune": [""]}), "not-well-formed"),
        (pa.table({"tune": [":24 20"]}), "out-of-range"),
    ],
)
def test_what_is_legal(rows, fault):
    assert MUSIC.validate(rows) == [fault]


def test_keys_are_equal_in_every_key_only():
    (here,) = MUSIC.keys(window())
    assert MUSIC.keys(moved(window(), 3)) == [here]
    assert MUSIC.keys(window(soprano="72 72")) != [here]
    assert MUSIC.keys(window(bass="47 _")) != [here]


def test_parallels_and_crossings_by_hand():
    steps, _ = grid_of(window("72 74", "67 69", "60 60", "48 47"))
    assert [kind.tolist() for kind in parallels(steps)] == [[0], [0]], "a fourth may move in parallel"
    steps, _ = grid_of(window("72 74", "65 67", "60 60", "48 50"))
    assert [kind.tolist() for kind in parallels(steps)] == [[1], [1]], "fifth above the alto, octave above the bass"
    steps, _ = grid_of(window("72 _", "74 _", "60 _", "62 _"))
    assert crossings(steps).tolist() == [4]


def test_a_longest_run_is_found_in_any_key_and_one_voice_only():
    known = pa.table({"tune": [":24 60 62 64 65 67 :12 69 71 72"]})
    runs = SharedRuns(sounding(known))
    (copied,) = sounding(pa.table({"tune": [":24 50 65 67 69 70 72 :12 60"]}))
    assert runs.longest(copied) == 5
    assert runs.longest({"bass": copied["tune"]}) == 0


def test_a_semitone_down_is_not_a_tone_down():
    (semitone, tone) = sounding(pa.table({"tune": [":24 62 61", ":24 62 60"]}))
    assert SharedRuns([semitone]).longest(semitone) == 2
    assert SharedRuns([semitone]).longest(tone) == 0


def test_the_nearest_is_the_same_piece_in_another_key():
    rows = drawn(0)
    distance, number = MUSIC.nearest(moved(rows.slice(5, 1), -2), rows)
    assert (distance.tolist(), number.tolist()) == ([0.0], [5])


@pytest.fixture(scope="module")
def measured():
    train, test = drawn(1), drawn(2)
    test = test.append_column("group", pa.array([str(row // 2) for row in range(len(test))]))
    candidates = [
        Candidate("system", "", drawn(3, top=79)),
        Candidate("floor", "other", drawn(4)),
        Candidate("copy", "again", moved(train, 1)),
    ]
    config = MusicMetricsConfig(overlap_notes=10)
    return MUSIC.measure(candidates, train=train, test=test, config=config, seed=0)


def claim(measured, metric, candidate):
    (draft,) = [d for d in measured.drafts if (d.metric, d.derivation.where["candidate"]) == (metric, candidate)]
    return derive(measured.columns, derivation=draft.derivation)


def test_copies_are_found_and_others_are_not(measured):
    assert claim(measured, "copied_share", "copy").value == 1.0
    assert claim(measured, "copied_share", "floor").value == 0.0
    assert claim(measured, "longest_copied", "copy").value == 24.0


def test_what_is_different_is_told_apart(measured):
    assert claim(measured, "c2st_auc", "system").value > 0.9
    assert claim(measured, "c2st_auc", "floor").value < 0.75
    assert (
        claim(measured, "pitch_class_distance", "copy").value
        > 3 * claim(measured, "pitch_class_distance", "floor").value
    )
    assert (
        claim(measured, "out_of_range_rate", "system").value > 5 * claim(measured, "out_of_range_rate", "floor").value
    )


def test_rates_are_those_of_the_windows(measured):
    steps, _ = grid_of(drawn(3, top=79))
    assert claim(measured, "parallel_rate", "system").value == pytest.approx(100 * sum(parallels(steps)).mean() / 24)
    fifths, octaves = (claim(measured, f"parallel_{kind}_rate", "system").value for kind in ("fifth", "octave"))
    assert fifths + octaves == pytest.approx(claim(measured, "parallel_rate", "system").value)
    assert claim(measured, "longest_copied_of_all", "system").value >= claim(measured, "longest_copied", "system").value
    assert claim(measured, "crossing_rate", "system").low is not None


def test_one_unreadable_sample_spoils_nothing():
    bad = pa.concat_tables([drawn(5, count=11), window("_ _", "x", "", "60")])
    test = drawn(2).append_column("group", pa.array([str(row) for row in range(60)]))
    found = MUSIC.measure(
        [Candidate("system", "", bad)], train=drawn(1), test=test, config=MusicMetricsConfig(), seed=0
    )
    assert claim(found, "copied_share", "system").n == 12
    assert claim(found, "parallel_rate", "system").n == 11


@pytest.mark.parametrize("rows", [drawn(6, count=2), pa.table({"tune": [":24 67 :16 69 71 72 | :60 74 . :12 76"]})])
def test_what_is_written_is_what_was_drawn(rows, tmp_path):
    written = MUSIC.write(rows, tmp_path)
    (sample, *_) = sounding(rows)
    notes = [tuple(voice) for voice in sample.values()]
    assert list(read_midi(tmp_path / "sample-1.mid").voices.values()) == notes
    assert list(read_musicxml(tmp_path / "sample-1.musicxml").voices.values()) == notes
    with wave.open(str(tmp_path / "sample-1.wav")) as sound:
        beats = max(voice[-1].end for voice in notes) / 48
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.625 * beats, abs=0.1)
    assert all(path.stat().st_size > 0 for path in written)
    preview = MUSIC.preview(rows, tmp_path / "preview").read_text()
    assert preview.count("<rect") == sum(len(voice) for one in sounding(rows) for voice in one.values())
