"""Features of a net from elsewhere: weights are read as tensors only, and a file that is none says so."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core import DataError, SpecError
from genwright.core.protocols import Candidate
from genwright.modalities.image.config import ImageMetricsConfig
from genwright.modalities.image.mobilenet import MobileNet, _trunk
from genwright.modalities.image.modality import ImageModality

from .pictures import bars, table


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(
        {**{f"features.{k}": v for k, v in _trunk().state_dict().items()}, "classifier.1.bias": torch.zeros(9)}, path
    )
    return path


def test_the_layers_have_the_published_sizes():
    """Of torchvision's file: the stem, the first and the 13th bottleneck."""
    sizes = {name: tuple(value.shape) for name, value in _trunk().state_dict().items()}
    assert sizes["0.0.weight"] == (32, 3, 3, 3)
    assert sizes["1.conv.1.weight"] == (16, 32, 1, 1)
    assert sizes["2.conv.0.0.weight"] == (96, 16, 1, 1)
    assert sizes["13.conv.2.weight"] == (96, 576, 1, 1)
    assert "14.conv.2.weight" not in sizes


def test_grey_and_colour_pictures_have_features(weights):
    for channels in (1, 3):
        values = bars(5, 1, channels=channels)[0]
        net = MobileNet(str(weights), reference=values)
        found = net.features(values)
        assert found.shape == (5, 96)
        assert found.std() == pytest.approx(1.0, rel=1e-4)
        np.testing.assert_array_equal(net.features(values[3:]), found[3:])


class _Touch:
    """What would run when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_nothing_is_run_when_weights_are_read(tmp_path):
    (tmp_path / "a.pth").write_bytes(pickle.dumps(_Touch(tmp_path / "was-run"), protocol=2))
    torch.save({"features.0.0.weight": _Touch(tmp_path / "was-run")}, tmp_path / "b.pth")
    torch.save({"features.0.0.weight": torch.zeros(1)}, tmp_path / "c.pth")
    (tmp_path / "d.pth").write_bytes(b"")
    for name in "abcd":
        with pytest.raises(DataError, match="does not hold the tensors"):
            MobileNet(str(tmp_path / f"{name}.pth"), reference=bars(2, 1)[0])
    assert not (tmp_path / "was-run").exists()
    with pytest.raises(DataError, match="names 4 files"):
        MobileNet(str(tmp_path), reference=bars(2, 1)[0])


def test_a_claim_says_whose_features_and_who_tells(weights):
    values, names = bars(24, 1)
    rows = table(values, label=names)
    config = ImageMetricsConfig(net="mobilenet-v2", net_weights=str(weights), net_steps=2, folds=50)
    candidate = Candidate("system", "", rows.drop_columns(["id", "group"]))
    found = ImageModality().measure([candidate], train=rows, test=rows, config=config, seed=1)
    units = {draft.metric: draft.unit for draft in found.drafts}
    assert units["frechet_distance"].startswith("features of mobilenet-v2 ")
    assert "small-net" in units["class_as_asked"]
    assert found.arrays["features"].shape == (48, 96)


def test_the_net_and_its_weights_go_together():
    for body in ({"net": "mobilenet-v2"}, {"net_weights": "/a.pth"}, {"net": "mobilenet-v2", "net_weights": "a.pth"}):
        with pytest.raises(SpecError, match="net_weights"):
            ImageMetricsConfig.parse(body, where="evaluate.metrics")
