"""Pictures come back from the grid as they were, from levels nearly so; what is given is marked; previews are files."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from genwright.core import DataError, IntegrityError
from genwright.modalities.image.config import GridConfig, LevelsConfig
from genwright.modalities.image.grid import GridCodec
from genwright.modalities.image.levels import LevelsCodec
from genwright.modalities.image.modality import ImageModality
from genwright.modalities.image.pixels import pixels_of

from .pictures import bars, file_of, table


@pytest.mark.parametrize("channels", [1, 3])
def test_the_grid_loses_nothing(tmp_path, channels):
    values, _ = bars(6, 1, channels=channels)
    rows = table(values)
    codec = GridCodec.fit(GridConfig(), rows=[rows])
    codec.save(tmp_path)
    codec = GridCodec.load(tmp_path)
    encoded = codec.encode(rows)
    assert encoded.values.dtype == np.uint8
    assert encoded.values.shape[1:] == (codec.shape.channels, codec.shape.height, codec.shape.width)
    assert ImageModality().keys(codec.decode(encoded)) == ImageModality().keys(rows)
    assert codec.units(rows).tolist() == [256.0 * channels] * 6


def test_pictures_of_two_sizes_are_refused_with_both():
    small, large = table(bars(2, 1, side=8)[0]), table(bars(2, 1)[0])
    with pytest.raises(DataError, match=r"8x8 grey and of 16x16 grey"):
        GridCodec.fit(GridConfig(), rows=[small, large])
    codec = GridCodec.fit(GridConfig(), rows=[small])
    with pytest.raises(DataError, match=r"16x16 grey; this codec works on 8x8 grey"):
        codec.encode(large)
    with pytest.raises(DataError, match="no codec can be fitted"):
        GridCodec.fit(GridConfig(), rows=[small.slice(0, 0)])


def test_levels_are_cells_that_share_their_ids(tmp_path):
    values, _ = bars(4, 2)
    codec = LevelsCodec.fit(LevelsConfig(levels=4, side=8), rows=[table(values)])
    codec.save(tmp_path)
    codec = LevelsCodec.load(tmp_path)
    ids = codec.encode(table(values)).values
    assert ids.shape == (4, 64)
    assert ids.max() <= 3
    assert codec.shape.cells == ((0, 4),) * 64
    blocks = values.reshape(4, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(4, -1) / 85.0
    assert np.abs(ids - blocks).max() <= 0.51
    back = pixels_of(codec.decode(codec.encode(table(values))))
    assert back.shape == values.shape
    assert np.abs(back.astype(float) - values).mean() < 35


def test_levels_of_colours_keep_the_channels_of_a_pixel_together():
    values = np.zeros((1, 3, 4, 4), dtype=np.uint8)
    values[0, 2, 0, 1] = 255
    codec = LevelsCodec.fit(LevelsConfig(levels=2, side=4), rows=[table(values)])
    assert np.flatnonzero(codec.encode(table(values)).values[0]).tolist() == [5]
    np.testing.assert_array_equal(pixels_of(codec.decode(codec.encode(table(values)))), values)


@pytest.mark.parametrize("as_path", [True, False])
def test_what_is_transparent_is_unknown(tmp_path, as_path):
    values, _ = bars(2, 3)
    layers = np.stack([values[0, 0], np.full((16, 16), 255, dtype=np.uint8)], axis=-1)
    layers[8:, :, 1] = 0
    body = file_of(layers)
    (tmp_path / "half.png").write_bytes(body)
    given = pa.table({"image": [str(tmp_path / "half.png") if as_path else body, None]})
    codec = GridCodec.fit(GridConfig(), rows=[table(values)])
    encoded = codec.encode_given(given)
    assert encoded.known[0, 0, :8].all()
    assert not encoded.known[0, 0, 8:].any()
    assert not encoded.known[1].any()
    np.testing.assert_array_equal(encoded.values[0, 0, :8], values[0, 0, :8])
    cells = LevelsCodec.fit(LevelsConfig(side=8), rows=[table(values)]).encode_given(given)
    assert cells.known.reshape(2, 8, 8)[0].all(axis=1).tolist() == [True] * 4 + [False] * 4


def test_a_given_picture_that_does_not_fit_says_how():
    codec = GridCodec.fit(GridConfig(), rows=[table(bars(2, 3)[0])])
    with pytest.raises(DataError, match=r"8x8 pixels; this system makes 16x16 grey"):
        codec.encode_given(pa.table({"image": [file_of(bars(1, 1, side=8)[0][0, 0])]}))
    with pytest.raises(DataError, match="cannot be read as a PNG"):
        codec.encode_given(pa.table({"image": ["there/is/none.png"]}))


def test_a_broken_codec_is_found(tmp_path):
    (tmp_path / "codec.json").write_text('{"size": 3}')
    for kind in (GridCodec, LevelsCodec):
        with pytest.raises(IntegrityError, match="no readable codec"):
            kind.load(tmp_path)


def test_broken_rows_are_illegal_and_the_same_pixels_are_the_same(tmp_path):
    values, _ = bars(1, 1)
    bodies = [file_of(values[0, 0]), file_of(values[0, 0], compress_level=0), b"none", None, file_of(RGBA)]
    rows = pa.table({"image": pa.array(bodies, pa.binary())})
    modality = ImageModality()
    assert modality.validate(rows) == [None, None, *["no-picture"] * 3]
    keys = modality.keys(rows)
    assert bodies[0] != bodies[1]
    assert keys[0] == keys[1] != keys[2]


RGBA = np.zeros((4, 4, 4), dtype=np.uint8)


def test_the_nearest_is_found_across_blocks(monkeypatch):
    from genwright.modalities.image import distances

    monkeypatch.setattr(distances, "ENTRIES_AT_ONCE", 600)
    values, _ = bars(7, 4)
    gaps, place = ImageModality().nearest(table(values[[5, 2]]), table(values))
    assert gaps.tolist() == [0.0, 0.0]
    assert place.tolist() == [5, 2]
    black, white = np.zeros((1, 1, 4, 4), dtype=np.uint8), np.full((1, 1, 4, 4), 255, dtype=np.uint8)
    assert ImageModality().nearest(table(black), table(white))[0].tolist() == [1.0]


def test_samples_are_files_with_their_columns(tmp_path):
    values, names = bars(3, 5)
    rows = table(values, label=names).drop_columns(["id", "group"])
    written = ImageModality().write(rows, tmp_path)
    assert [path.name for path in written] == ["00000.png", "00001.png", "00002.png", "captions.csv"]
    with Image.open(written[1]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), values[1, 0])
    assert written[-1].read_text().splitlines()[1] == f'"00000.png","{names[0]}"'
    with Image.open(ImageModality().preview(rows, tmp_path / "preview")) as sheet:
        assert sheet.format == "PNG"
        assert sheet.size == (3 * 66, 66)
