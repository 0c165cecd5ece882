"""Inpainting from end to end: a PNG with transparency goes in, known pixels come back as they were."""

import json

import numpy as np
import pytest

from genwright.core import CapabilityError, component
from genwright.families.store import build_family
from genwright.modalities.image.config import GridConfig
from genwright.modalities.image.grid import GridCodec
from genwright.modalities.image.pixels import pixels_of
from genwright.systems.rows import RowSystem
from genwright.systems.told import known_rows

from .pictures import bars, file_of, table


def system(kind, **settings):
    codec = GridCodec.fit(GridConfig(), rows=[table(bars(2, 1, side=8, channels=3)[0])])
    config = component("families", kind).config.parse({"kind": kind, **settings}, where=kind)
    return RowSystem(build_family(config.resolve(depth=1, shape=codec.shape), shape=codec.shape, seed=0), codec=codec)


@pytest.mark.parametrize(
    ("kind", "settings"), [("diffusion", {"net": {"kind": "unet", "width": 8}, "steps": 2}), ("vae", {"width": 8})]
)
def test_what_is_opaque_stays_and_the_rest_is_filled_in(tmp_path, kind, settings):
    values = bars(1, 3, side=8, channels=3)[0][0]
    layers = np.concatenate([values, np.full((1, 8, 8), 255, dtype=np.uint8)])
    layers[3, :, 4:] = 0
    layers[:3, :, 4:] = 0
    (tmp_path / "half.png").write_bytes(file_of(np.moveaxis(layers, 0, -1)))
    given, count = known_rows(json.dumps({"image": str(tmp_path / "half.png")}), count=3)
    made = pixels_of(system(kind, **settings).sample(count, given=given, steps=2))
    assert made.shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(made[..., :4], np.broadcast_to(values[..., :4], (3, 3, 8, 4)))
    assert made[..., 4:].any()
    assert (made[0] != made[1]).any()


def test_a_family_that_cannot_complete_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(file_of(np.moveaxis(bars(1, 3, side=8, channels=3)[0][0], 0, -1)))
    given, count = known_rows(json.dumps({"image": str(tmp_path / "a.png")}), count=1)
    with pytest.raises(CapabilityError):
        system("gan").sample(count, given=given)


def test_pictures_are_shown_by_their_size_and_given_to_programs_in_base64(capsys):
    from genwright.cli.output import Output

    for as_json in (True, False):
        Output(as_json=as_json).table([{"image": b"\x89PNG"}], title="samples")
    json_line, *shown = capsys.readouterr().out.splitlines()
    assert json.loads(json_line) == [{"image": "iVBORw=="}]
    assert "4 bytes" in " ".join(shown)
