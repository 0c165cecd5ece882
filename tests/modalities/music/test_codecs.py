"""Texts, tokens and pictures of music, and back."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.modalities.codec import load_codec
from genwright.modalities.music.config import MusicRollConfig, MusicTokensConfig
from genwright.modalities.music.modality import MusicModality
from genwright.modalities.music.roll import RollCodec
from genwright.modalities.music.tokens import MusicTokens
from genwright.modalities.music.tunes import notes_of_tune, text_of_tune
from genwright.modalities.music.voices import from_text, to_text

WINDOWS = pa.table(
    {
        "soprano": ["72 _ 74 _ 76 _ _ _", "72 72 . 79 _ _ . ."],
        "alto": ["67 _ _ _ . . 67 _", "64 _ 65 _ 67 _ 69 _"],
        "tenor": ["60 _ 60 _ 60 _ 60 _", ". . . . 55 _ _ _"],
        "bass": ["48 _ _ _ _ _ _ _", "36 _ 48 _ 36 _ 48 _"],
    }
)
TUNES = pa.table({"tune": [":24 67 69 | :48 71 . | 67", ":24 67 67 67"]})


@pytest.fixture(params=["tokens", "roll"])
def codec(request):
    if request.param == "tokens":
        return MusicTokens.fit(MusicTokensConfig(), rows=[WINDOWS])
    return RollCodec.fit(MusicRollConfig(), rows=[WINDOWS])


@pytest.mark.parametrize("text", ["60 _ _ 62", ". . 60 _", "60 60 . 60"])
def test_a_voice_comes_back(text):
    assert to_text(from_text(text)) == text


def test_a_held_note_that_nothing_began_is_begun():
    assert to_text(np.array([122, 122, 126])) == "60 _ 62"


@pytest.mark.parametrize("text", ["_ 60", "200", "60 x", ". _"])
def test_a_bad_voice_is_refused(text):
    with pytest.raises(DataError, match="of a voice is"):
        from_text(text)


def test_windows_come_back_after_a_save(codec, tmp_path):
    encoded = codec.encode(WINDOWS)
    assert codec.decode(encoded).equals(WINDOWS)
    codec.save(tmp_path)
    assert load_codec(tmp_path).decode(encoded).equals(WINDOWS)
    assert codec.units(WINDOWS).tolist() == [np.prod(encoded.values.shape[1:])] * 2


def test_what_is_given_is_marked_and_the_rest_is_not(codec):
    given = pa.table({"soprano": ["72 _ ? _ 76 _ _ _"], "bass": pa.array([None], pa.string())})
    encoded = codec.encode_given(given)
    whole = codec.encode(WINDOWS.slice(0, 1).set_column(0, "soprano", pa.array(["72 _ . . 76 _ _ _"])))
    assert (encoded.values[encoded.known] == whole.values[encoded.known]).all()
    assert encoded.known.mean() == pytest.approx(6 / 32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"descant": ["60"]}, "no voice 'descant'"),
        ({"bass": ["48 _"]}, "has 2 steps"),
        ({"bass": ["72 _ _ _ _ _ _ _"]}, "lies between 36 and 48"),
    ],
)
def test_what_cannot_be_given_is_refused(codec, given, message):
    with pytest.raises(DataError, match=message):
        codec.encode_given(pa.table(given))


def test_a_pitch_beyond_the_train_range_moves_by_octaves(codec):
    high = WINDOWS.slice(0, 1).set_column(3, "bass", pa.array(["60 _ _ _ _ _ _ _"]))
    assert codec.decode(codec.encode(high)).column("bass").to_pylist() == ["48 _ _ _ _ _ _ _"]


def test_every_cell_holds_its_voice_only():
    shape = MusicTokens.fit(MusicTokensConfig(), rows=[WINDOWS]).shape
    assert len(shape.cells) == 32
    assert shape.cells[:4] == shape.cells[4:8]
    assert [count for _, count in shape.cells[:4]] == [17, 13, 13, 27]


def test_any_picture_is_a_score(codec):
    if not isinstance(codec, RollCodec):
        pytest.skip("tokens are always a score")
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, codec.shape.height, codec.shape.width)).astype(np.uint8)
    from genwright.core.protocols import Encoded

    rows = codec.decode(Encoded(noise))
    assert MusicModality().validate(rows) == [None] * 3
    assert codec.decode(codec.encode(rows)).equals(rows)


def test_tunes_come_back(tmp_path):
    codec = MusicTokens.fit(MusicTokensConfig(), rows=[TUNES])
    encoded = codec.encode(TUNES)
    assert encoded.lengths.tolist() == [9, 4]
    assert codec.decode(encoded).equals(TUNES)
    assert codec.units(TUNES).tolist() == [10.0, 5.0]
    codec.save(tmp_path)
    assert load_codec(tmp_path).decode(encoded).equals(TUNES)


def test_the_start_of_a_tune_can_be_given():
    codec = MusicTokens.fit(MusicTokensConfig(), rows=[TUNES])
    encoded = codec.encode_given(pa.table({"tune": [":24 67 ? 67", None]}))
    assert encoded.known.tolist() == [[True, True, True, False, True, False], [True, *[False] * 5]]
    assert codec.decode(encoded).column("tune").to_pylist()[0].split()[:2] == [":24", "67"]
    with pytest.raises(DataError, match="'61' is given") as raised:
        codec.encode_given(pa.table({"tune": ["61"]}))
    assert raised.value.hint.startswith("try '?'") and "67" in raised.value.hint


def test_the_text_of_a_tune_is_that_of_its_notes():
    for text in TUNES.column("tune").to_pylist():
        notes, bars = notes_of_tune(text)
        assert text_of_tune(notes, bars=bars) == text


@pytest.mark.parametrize("rows", [WINDOWS, TUNES])
def test_copies_are_the_rows_at_other_pitches(rows, tmp_path):
    codec = MusicTokens.fit(MusicTokensConfig(transpose_up_to=2), rows=[rows])
    codec.save(tmp_path)
    back = load_codec(tmp_path)
    decoded = [back.decode(batch) for batch in back.copies(rows)]
    assert codec.decode(codec.encode(rows)).equals(rows)
    for semitones, copy in zip((-2, -1, 1, 2), decoded, strict=True):
        for name in rows.column_names:
            for one, other in zip(rows[name].to_pylist(), copy[name].to_pylist(), strict=True):
                moved = [str(int(word) + semitones) if word.isdecimal() else word for word in one.split()]
                assert other.split() == moved


@pytest.mark.parametrize("rows", [WINDOWS, TUNES])
def test_copies_are_told_how_far_they_were_moved(rows):
    codec = MusicTokens.fit(MusicTokensConfig(transpose_up_to=1), rows=[rows])
    assert codec.shape.cond_size == 3
    told = [encoded.cond for encoded in (*codec.copies(rows), codec.encode(rows), codec.encode_given(rows))]
    for cond, place in zip(told, (0, 2, 1, 1), strict=True):
        assert cond.tolist() == [[float(at == place) for at in range(3)]] * len(rows)
    assert codec.usual_condition(2).tolist() == [[0.0, 1.0, 0.0]] * 2


def test_there_are_no_copies_unless_they_are_asked_for():
    codec = MusicTokens.fit(MusicTokensConfig(), rows=[WINDOWS])
    assert not list(codec.copies(WINDOWS)) and not codec.shape.cond_size
    assert codec.encode(WINDOWS).cond is None and codec.usual_condition(1) is None
