"""Style transfer with the published nets: small real pictures drawn by code."""

import numpy as np
import pytest
from PIL import Image

from genwright.cli.main import main
from genwright.core import DataError, SpecError
from genwright.modalities.image.style.command import load_styler, style_files
from genwright.modalities.image.style.picture import open_picture, resized
from genwright.modalities.image.style.scoring import Pair, score_pairs
from genwright.modalities.image.style.weights import ARBITRARY, TRUNK, files_of

pytest.importorskip("onnxruntime")
pytest.importorskip("h5py")
pytestmark = pytest.mark.network


def ring(side=64):
    """A dark ring on light ground."""
    y, x = np.mgrid[:side, :side] - side / 2
    inside = np.abs(np.hypot(y, x) - side / 3) < side / 12
    return np.stack([np.where(inside, 30, 230)] * 3).astype(np.uint8)


def stripes(side=64, seed=0):
    """Red and black stripes, askew, with grain."""
    y, x = np.mgrid[:side, :side]
    wave = (np.sin((x + y) / 3.0) > 0) * 200 + np.random.default_rng(seed).integers(0, 40, (side, side))
    return np.stack([wave, wave // 4, wave // 8]).astype(np.uint8)


def checks(side=64):
    """Blue and white checks."""
    y, x = np.mgrid[:side, :side] // 8
    board = ((x + y) % 2 * 255).astype(np.uint8)
    return np.stack([board, board, np.full_like(board, 255)])


def write(levels, path):
    Image.fromarray(np.moveaxis(levels, 0, -1)).save(path)
    return path


@pytest.fixture(scope="module")
def arbitrary():
    return load_styler("arbitrary", files_of(ARBITRARY, wanted=("predict.onnx", "transform.onnx")))


@pytest.fixture(scope="module")
def trunk():
    from genwright.modalities.image.style.trunk import Trunk

    return Trunk(*files_of(TRUNK, wanted=(".h5",)))


def distance(trunk, one, style):
    from genwright.modalities.image.style.trunk import style_distance

    return style_distance(trunk.grams(one), trunk.grams(style))


def test_the_style_comes_nearer_and_is_that_which_was_asked_for(arbitrary, trunk):
    drawn = arbitrary.stylise(ring(), stripes())
    assert drawn.shape == (3, 64, 64) and drawn.dtype == np.uint8
    assert distance(trunk, drawn, stripes()) < distance(trunk, ring(), stripes())
    other = arbitrary.stylise(ring(), checks())
    assert distance(trunk, drawn, stripes()) < distance(trunk, other, stripes())
    np.testing.assert_array_equal(drawn, arbitrary.stylise(ring(), stripes()))


def test_strength_goes_from_the_contents_own_style_to_the_other(arbitrary, trunk):
    none, half, whole = (arbitrary.stylise(ring(), stripes(), strength=s) for s in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, arbitrary.stylise(ring(), ring()))
    found = [distance(trunk, one, stripes()) for one in (none, half, whole)]
    assert found[0] > found[1] > found[2]


def test_large_and_long_pictures_keep_their_size_and_tiles_leave_no_seam(arbitrary):
    long = resized(ring(400), (400, 700))
    drawn = arbitrary.stylise(long, stripes())
    assert drawn.shape == long.shape
    columns = np.abs(np.diff(drawn.astype(float), axis=2)).mean((0, 1))
    # Tiles of 384 start at 0, 158 and 316.
    assert max(columns[at - 3 : at + 3].max() for at in (158, 316, 384)) < 2 * np.median(columns)


def test_optimised_pixels_come_nearer_too_and_depend_on_the_seed_alone(trunk):
    from genwright.modalities.image.style.gatys import GatysStyle

    content, style = ring(32), stripes(32)
    drawn, again, other = (GatysStyle(trunk).stylise(content, style, steps=6, seed=s) for s in (1, 1, 2))
    assert distance(trunk, drawn, style) < 0.8 * distance(trunk, content, style)
    np.testing.assert_array_equal(drawn, again)
    assert (drawn != other).any()
    kept = GatysStyle(trunk).stylise(content, style, steps=6, strength=0.0)
    assert np.abs(kept.astype(int) - content).mean() < 8


def test_distance_of_a_picture_from_itself_is_nothing_whatever_its_size(trunk):
    assert distance(trunk, checks(), checks()) < 1e-5
    assert distance(trunk, checks(96), checks(64)) < 0.5 * distance(trunk, ring(), checks())


def test_a_style_and_a_content_are_found_where_they_are_drawn(trunk):
    grain = np.random.default_rng(1).integers(0, 2, (1, 64, 64)).repeat(3, axis=0).astype(np.uint8) * 90
    styles = [stripes(), checks(), grain]
    contents = [np.roll(ring(), move, axis=(1, 2)) for move in (0, 9, 20)]
    drawn = [(contents[at], styles[at]) for at in range(3)]
    scores = {}
    for name, place in (("contents", 0), ("styles", 1)):
        pairs = [Pair(contents[at], at, drawn[at][place], contents[at]) for at in range(3)]
        rows = score_pairs(pairs, styles, ["a", "b", "c"], trunk=trunk, choices=2, seed=0, advance=lambda: None)
        scores[name] = [(row["style_found_system"], row["content_found_system"]) for row in rows]
    assert [found for found, _ in scores["styles"]] == [1, 1, 1]
    assert [found for _, found in scores["contents"]] == [1, 1, 1]
    assert sum(found for found, _ in scores["contents"]) < 3


def test_the_command_writes_a_picture(tmp_path, capsys):
    content, style = write(ring(), tmp_path / "c.png"), write(stripes(), tmp_path / "s.jpg")
    with pytest.raises(SystemExit) as done:
        main(["style", str(content), str(style), "--out", str(tmp_path / "out.png"), "--size", "96"])
    assert done.value.code == 0
    assert open_picture(tmp_path / "out.png").shape == (3, 96, 96)
    assert "96" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{content}", "{style}", "--out", "out.gif"], ".png"),
        (["{content}", "{style}", "--out", "out.png", "--strength", "1.5"], "from 0"),
        (["{content}", "{text}", "--out", "out.png"], "cannot be read"),
        (["{content}", "missing.png", "--out", "out.png"], "missing.png"),
        (["{content}", "{style}", "--out", "out.png", "--size", "20"], "at least 32"),
        (["{content}", "{style}", "--out", "no/such/folder/out.png"], "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, capsys, words, says):
    files = {
        "content": write(ring(), tmp_path / "c.png"),
        "style": write(stripes(), tmp_path / "s.png"),
        "text": tmp_path / "t.png",
    }
    files["text"].write_text("no picture")
    with pytest.raises(SystemExit) as done:
        main(["style", *(word.format(**files) for word in words)])
    assert done.value.code in (1, 2)
    told = capsys.readouterr().err
    assert says in told and "defect" not in told


def test_files_that_hold_no_net_are_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no net")
    for method, files in (("arbitrary", 2), ("gatys", 1)):
        with pytest.raises(DataError, match=r"a\.onnx"):
            load_styler(method, (tmp_path / "a.onnx",) * files)


def test_a_missing_extra_is_named(monkeypatch, tmp_path, capsys):
    import sys

    for name in ("onnxruntime", "genwright.modalities.image.style.arbitrary"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    content = write(ring(), tmp_path / "c.png")
    with pytest.raises(SystemExit) as done:
        main(["style", str(content), str(content), "--out", str(tmp_path / "o.png")])
    assert done.value.code == 5
    assert "genwright[style]" in capsys.readouterr().err


def test_a_wrong_strength_is_refused_before_anything_is_loaded(tmp_path):
    content = write(ring(), tmp_path / "c.png")
    with pytest.raises(SpecError, match="strength"):
        style_files(content, content, tmp_path / "o.png", method="arbitrary", strength=-0.1)
