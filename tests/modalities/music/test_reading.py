"""MusicXML, MIDI and ABC files, and what becomes of them."""

import importlib.util
import zipfile
from pathlib import Path

import mido
import pytest

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.music.abc_notation import read_abc
from genwright.modalities.music.config import MusicSourceConfig
from genwright.modalities.music.midi import read_midi, write_midi
from genwright.modalities.music.musicxml import read_musicxml
from genwright.modalities.music.piece import Note, NotRead
from genwright.modalities.music.reading import read_music

_SPEC = importlib.util.spec_from_file_location("scores", Path(__file__).with_name("scores.py"))
scores = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scores)


def parts(tmp_path, text):
    (tmp_path / "piece.xml").write_text(text)
    return read_musicxml(tmp_path / "piece.xml")


def test_a_part_with_ties_chords_rests_and_a_pickup(tmp_path):
    note, measure = scores.note, scores.measure
    piece = parts(
        tmp_path,
        scores.score(
            {
                "Violin": [
                    measure(note("D4", 4), fifths=1),
                    measure(note("", 4), note("F#4", 8), note("A4", 4, tie="start")),
                    measure(note("A4", 4, tie="stop"), note("C4", 4), note("E4", 4, chord=True), note("Bb4", 8)),
                ]
            }
        ),
    )
    found = [(one.start, one.length, one.pitch) for one in piece.voices["Violin"]]
    assert found == [(0, 48, 62), (96, 96, 66), (192, 96, 69), (288, 48, 64), (336, 96, 70)]
    assert piece.bars == (48, 240), "the pickup begins no bar"
    assert (piece.fifths, piece.metre) == (1, "4/4")


def test_a_second_line_in_a_part_is_passed_over(tmp_path):
    body = scores.note("C5", 16) + "<backup><duration>16</duration></backup>" + scores.note("C4", 16, voice="2")
    piece = parts(tmp_path, scores.score({"Piano": [scores.measure(body, fifths=0)]}))
    assert [one.pitch for one in piece.voices["Piano"]] == [72]


def test_a_packed_score_is_the_same(tmp_path):
    with zipfile.ZipFile(tmp_path / "piece.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfiles><rootfile full-path="a.xml"/></rootfiles></c>')
        archive.writestr("a.xml", scores.choir())
    assert read_musicxml(tmp_path / "piece.mxl").voices == parts(tmp_path, scores.choir()).voices


def test_entities_are_refused(tmp_path):
    doctype = '<!DOCTYPE score-partwise [<!ENTITY a "aaaa">]>'
    with pytest.raises(NotRead, match="EntitiesForbidden"):
        parts(tmp_path, scores.choir().replace("<score-partwise>", f"{doctype}<score-partwise>"))
    piece = parts(tmp_path, scores.choir().replace("<score-partwise>", '<!DOCTYPE a SYSTEM "a.dtd"><score-partwise>'))
    assert len(piece.voices) == 4, "a document type alone harms nobody, and every published file has one"


def test_windows_start_at_bars_and_the_last_one_reaches_the_end(tmp_path):
    (tmp_path / "a.xml").write_text(scores.choir(7, fifths=1))
    source = MusicSourceConfig(path="a.xml", window_steps=32, hop_steps=48)
    (table,) = read_music(source, root=tmp_path)
    assert table.column("id").to_pylist() == ["a.xml#1", "a.xml#2", "a.xml#3"]
    assert table.column("soprano")[0].as_py() == " ".join(["76 _ _ _"] * 8)
    assert set(table.column("fifths").to_pylist()) == {1}


def test_in_c_moves_by_the_key_signature(tmp_path):
    (tmp_path / "a.xml").write_text(scores.choir(fifths=1))
    (table,) = read_music(MusicSourceConfig(path="a.xml", transpose="c"), root=tmp_path)
    assert table.column("bass")[0].as_py().split()[0] == "53", "from G up to C"
    assert table.column("fifths").to_pylist() == [0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.xml", "<score-partwise>", "not well-formed"),
        ("a.xml", "<html/>", "no score by parts"),
        ("a.xml", scores.choir(pitches={"Flute": "C5", "Oboe": "C5"}), "not four voices"),
        ("a.xml", scores.choir(2), "too short"),
        ("a.mid", "no MIDI", "not well-formed"),
        ("a.abc", "X:1\nno key\n", "no tune"),
    ],
)
def test_what_is_not_taken_says_why(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    (found,) = read_music(MusicSourceConfig(path=name, on_error="drop"), root=tmp_path)
    assert isinstance(found, Unreadable)
    assert (found.id, found.reason) == (name, reason)


def test_an_empty_midi_file_is_a_clear_error(tmp_path):
    mido.MidiFile().save(tmp_path / "a.mid")
    with pytest.raises(DataError, match="it holds no note"):
        list(read_music(MusicSourceConfig(path="a.mid"), root=tmp_path))


def test_pieces_with_one_melody_share_a_group_in_any_key_and_rhythm(tmp_path):
    line = "CDEFGABcAGBFEDCE"
    (tmp_path / "a.abc").write_text(f"X:1\nT:One\nL:1/8\nK:C\n{line}\n")
    (tmp_path / "b.abc").write_text(f"X:1\nT:Two\nL:1/16\nK:C\ng4 {line}\n")
    (tmp_path / "c.abc").write_text(f"X:1\nT:Three\nL:1/8\nK:C\n{line[::-1]}\n")
    source = MusicSourceConfig(path="*.abc", samples="tunes")
    groups = [table.column("group")[0].as_py() for table in read_music(source, root=tmp_path)]
    assert groups[0] == groups[1] != groups[2]
    source = source.model_copy(update={"group": "piece"})
    pieces = [table.column("group")[0].as_py() for table in read_music(source, root=tmp_path)]
    assert len(set(pieces)) == 3


def test_midi_comes_back_as_it_was_written(tmp_path):
    voices = {"soprano": (Note(0, 48, 72), Note(48, 12, 74)), "bass": (Note(12, 96, 48), Note(108, 16, 48))}
    write_midi(voices, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").voices == voices


HEAD = "X:1\nT:A tune\nM:4/4\nL:1/8\nK:{key}\n{body}\n"


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("C2 c/ C, c'", "C", [(60, 48), (72, 12), (48, 24), (84, 24)]),
        ("F C f", "D", [(66, 24), (61, 24), (78, 24)]),
        ("B e", "Gm", [(70, 24), (75, 24)]),
        ("^F F | F", "C", [(66, 24), (66, 24), (65, 24)]),
        ("^F f =F", "G", [(66, 24), (78, 24), (65, 24)]),
        ("A>B c<d", "C", [(69, 36), (71, 12), (72, 12), (74, 36)]),
        ("(3ABc d", "C", [(69, 16), (71, 16), (72, 16), (74, 24)]),
        ("A-A B-|B", "C", [(69, 48), (71, 48)]),
        ('"Am"{g}!trill![Ac]2 "4"~vB', "C", [(72, 48), (71, 24)]),
        ("|: A B |1 c :|2 d || [K:D] F", "C", [(69, 24), (71, 24), (72, 24), (74, 24), (66, 24)]),
        ("A3/2 B// c % no D", "C", [(69, 36), (71, 6), (72, 24)]),
        ("F", "Ador", [(66, 24)]),
    ],
)
def test_abc_notes(tmp_path, body, key, expected):
    (tmp_path / "a.abc").write_text(HEAD.format(key=key, body=body))
    (piece,) = read_abc(tmp_path / "a.abc")
    (notes,) = piece.voices.values()
    assert [(note.pitch, note.length) for note in notes] == expected


def test_abc_bars_and_rests_keep_their_places(tmp_path):
    (tmp_path / "a.abc").write_text(HEAD.format(key="C", body="G2 | c4 z4 | d8 |]"))
    (piece,) = read_abc(tmp_path / "a.abc")
    assert piece.bars == (0, 48, 240)
    assert [note.start for note in piece.voices["melody"]] == [0, 48, 240]


@pytest.mark.parametrize("body", ["A @ B", ">A", "V:2", "A17/13", "(0ABc"])
def test_abc_that_cannot_be_read_says_why(tmp_path, body):
    (tmp_path / "a.abc").write_text(HEAD.format(key="C", body=body))
    (found,) = read_abc(tmp_path / "a.abc")
    assert isinstance(found, NotRead)


LINE = "CDEFGABcAGBFEDCE"
BOOK = f"""%abc-2.1
L:1/16
X:7
T:First
K:C
{LINE}

Text between tunes, which is no music!
X:8
T:Second
L:1/8
K:G
{LINE[::-1]}
X:9
T:Broken
K:C
A @ B
X:10
no key
X:11
T:Last
K:C
{LINE[3:]}CGEC
"""


def test_every_tune_of_an_abc_file_is_a_piece(tmp_path):
    (tmp_path / "book.abc").write_text(BOOK)
    source = MusicSourceConfig(path="book.abc", samples="tunes", on_error="drop")
    found = list(read_music(source, root=tmp_path))
    lost = {one.id: one.reason for one in found if isinstance(one, Unreadable)}
    assert lost == {"book.abc#3": "not read", "book.abc#4": "no tune"}
    rows = [one.to_pylist()[0] for one in found if not isinstance(one, Unreadable)]
    assert [(row["id"], row["title"], row["fifths"]) for row in rows] == [
        ("book.abc#1", "First", 0),
        ("book.abc#2", "Second", 1),
        ("book.abc#5", "Last", 0),
    ]
    lengths = [row["tune"].split()[0] for row in rows]
    assert lengths == [":12", ":24", ":12"], "the head of the file is in force where a tune says nothing else"
    assert rows[0]["tune"] == ":12 60 62 64 65 67 69 71 72 69 67 71 65 64 62 60 64"
    assert len({row["group"] for row in rows}) == 3
    with pytest.raises(DataError, match=r"book\.abc#3 is not taken: not read"):
        list(read_music(source.model_copy(update={"on_error": "fail"}), root=tmp_path))
