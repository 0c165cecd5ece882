"""Metrics tell noise, blur, copies, one class only and the wrong class from real pictures."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from genwright.core import DataError
from genwright.core.protocols import Candidate
from genwright.measure import derive
from genwright.modalities.image.agreement import Captions
from genwright.modalities.image.config import ImageMetricsConfig
from genwright.modalities.image.modality import ImageModality
from genwright.modalities.image.pixels import pixels_of
from genwright.modalities.image.small_net import Task, task_of, train_net
from genwright.modalities.image.spectrum import log_power

from .pictures import CLASSES, bars, table

QUICK = ImageMetricsConfig(net_steps=60, net_rows=64, resamples=20, folds=2)


def labelled(n, seed, **columns):
    values, names = bars(n, seed)
    return table(values, label=names, **columns)


def payload(rows):
    return rows.drop_columns(["id", "group"])


def with_pixels(rows, values):
    return payload(table(values, label=rows.column("label")))


def estimates(candidates, train, test, config=QUICK):
    found = ImageModality().measure(candidates, train=train, test=test, config=config, seed=1)
    arrays = found.arrays.__getitem__
    return {
        (d.metric, d.label): derive(found.columns, derivation=d.derivation, arrays=arrays) for d in found.drafts
    }, found


@pytest.fixture(scope="module")
def measured():
    """Noise, other real pictures, and copies."""
    train, test, other = labelled(240, 1), labelled(120, 2), labelled(120, 3)
    noisy = pixels_of(other).astype(float) + np.random.default_rng(0).normal(0, 60, (120, 1, 16, 16))
    candidates = [
        Candidate("system", "", with_pixels(other, noisy.clip(0, 255).astype(np.uint8))),
        Candidate("floor", "floor", payload(other)),
        Candidate("copy", "copy", payload(train.slice(0, 120))),
    ]
    return estimates(candidates, train, test)[0]


@pytest.fixture(scope="module")
def told():
    """Real pictures, the same under a wrong label, and those of one class; too few for two-sample tests."""
    train, test, other = labelled(240, 1), labelled(80, 2), labelled(80, 3)
    wrong = pa.array([CLASSES[(CLASSES.index(one) + 1) % 3] for one in other.column("label").to_pylist()])
    one_class = payload(train.filter(pa.array([one == "lying" for one in train.column("label").to_pylist()])))
    candidates = [
        Candidate("floor", "floor", payload(other)),
        Candidate("wrong", "wrong", pa.table({"image": other.column("image"), "label": wrong})),
        Candidate("one", "one class", one_class),
    ]
    return estimates(candidates, train, test, QUICK.model_copy(update={"folds": 50}))[0]


def test_noise_is_found_out(measured):
    value = {key: estimate.value for key, estimate in measured.items()}
    assert value["c2st_auc_pixels", ""] > 0.9
    assert value["c2st_auc_pixels", "floor"] < 0.65
    assert value["frechet_distance", ""] > 1.5 * value["frechet_distance", "floor"]
    assert value["frechet_ratio", ""] > 1.5
    assert value["power_spectrum_distance", ""] > 3 * value["power_spectrum_distance", "floor"]
    assert ("frechet_ratio", "floor") not in measured


def test_copies_are_found_out(measured):
    assert measured["nearest_train_ratio", "copy"].value == 0.0
    assert measured["nearest_train_ratio", "floor"].low > 0.7
    assert measured["frechet_ratio", "copy"].value < 1.5


def test_the_asked_class_is_recognised_and_collapse_is_seen(told):
    assert told["class_as_asked", "floor"].low > 0.8
    assert told["class_as_asked", "wrong"].high < 0.2
    assert told["classes_made", "floor"].value == 3
    assert told["class_entropy", "floor"].value > 1.0
    assert told["class_entropy", "one class"].value < 0.2
    assert told["recall", "one class"].high < told["recall", "floor"].low
    assert told["coverage", "one class"].high < told["coverage", "floor"].low


def test_the_same_seed_gives_the_same_bits_and_the_unit_names_the_weights():
    train, test = labelled(80, 1), labelled(40, 2)
    candidates = [Candidate("system", "", payload(labelled(40, 3)))]
    quick = QUICK.model_copy(update={"net_steps": 5})
    first, second = (estimates(candidates, train, test, quick) for _ in range(2))
    assert first[0] == second[0]
    unit = {draft.metric: draft.unit for draft in first[1].drafts}["frechet_distance"]
    assert unit == f"features of small-net {train_net(train, quick).digest[:12]}"
    other = train_net(train, quick.model_copy(update={"net_seed": 1}))
    assert other.digest[:12] not in unit
    before = torch.rand(1, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    train_net(train, quick)
    assert torch.rand(1) == before


def test_few_or_equal_pictures_are_measured_without_a_crash():
    train, test = labelled(30, 1), labelled(12, 2)
    flat = payload(table(np.zeros((12, 1, 16, 16), dtype=np.uint8), label=test.column("label")))
    quick = QUICK.model_copy(update={"net_steps": 2})
    found, _ = estimates(
        [Candidate("system", "", flat), Candidate("floor", "floor", flat.slice(0, 3))], train, test, quick
    )
    assert found["class_entropy", ""].value == 0.0
    assert ("c2st_auc_pixels", "") not in found
    assert ("precision", "floor") not in found


def test_pictures_of_one_group_are_resampled_together():
    train, test = labelled(60, 1), labelled(40, 2)
    test = test.set_column(1, "group", pa.array([f"{at // 4}" for at in range(40)]))
    _, found = estimates(
        [Candidate("system", "", payload(labelled(40, 3)))], train, test, QUICK.model_copy(update={"net_steps": 2})
    )
    with_interval = [draft.derivation for draft in found.drafts if draft.derivation.interval != "none"]
    assert {one.cluster for one in with_interval} == {"group"}


def test_other_sizes_are_refused():
    small = payload(table(bars(9, 1, side=8)[0]))
    with pytest.raises(DataError, match="8x8 grey cannot be compared with 16x16 grey"):
        estimates([Candidate("system", "", small)], labelled(30, 1), labelled(12, 2), QUICK)


def test_the_net_learns_what_the_columns_offer():
    values, _ = bars(12, 1)
    assert task_of(labelled(12, 1), QUICK).kind == "classes"
    captions = table(values, caption=["a red heart", "a blue heart"] * 6)
    assert task_of(captions, QUICK).names == ("a", "blue", "heart", "red")
    assert task_of(table(values), QUICK).kind == "turns"
    long = table(np.zeros((8, 1, 8, 16), dtype=np.uint8))
    assert train_net(long, QUICK.model_copy(update={"net_steps": 2})).outputs(pixels_of(long))[0].shape == (8, 128)


def test_a_caption_is_found_among_others_only_where_the_picture_shows_it():
    names = ("blue", "heart", "red", "star")
    task = Task("words", names, np.zeros((1, 4), dtype=np.float32))
    shown = np.array([[-9, 9, 9, -9], [9, -9, -9, 9], [-9, 9, -9, 9], [9, 9, -9, -9]], dtype=np.float32)
    texts = ["red heart", "blue star", "star heart", "blue heart"]
    found = Captions(task, real=shown, pool=texts, choices=3, seed=0)
    assert found.hits(shown, texts) == [1, 1, 1, 1]
    assert found.hits(shown[[1, 0, 3, 2]], texts) == [0, 0, 0, 0]
    assert found.hits(shown[:3], [None, "of nothing known", "blue star"]) == [None, None, 0]
    assert not Captions(task, real=shown, pool=texts[:2], choices=3, seed=0).able


def test_guided_captions_are_claimed():
    values, _ = bars(60, 1)
    texts = [("a bright bar", "a dark place", "an odd thing")[at % 3] for at in range(60)]
    train = table(values, caption=texts)
    config = QUICK.model_copy(update={"net_steps": 3, "choices": 3})
    found, _ = estimates([Candidate("system", "", payload(train))], train, train, config)
    assert found["caption_found", ""].n == 60


def test_detail_is_power_at_high_frequencies():
    flat = np.full((1, 1, 16, 16), 100, dtype=np.uint8)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (1, 1, 16, 16)).astype(np.uint8)
    wave = (127 + 100 * np.sin(2 * np.pi * 3 * np.arange(16) / 16))[None, None, None, :].repeat(16, 2).astype(np.uint8)
    assert log_power(flat).shape == (1, 8)
    assert np.allclose(log_power(flat), np.log(1e-6))
    assert log_power(wave)[0].argmax() == 2
    assert np.ptp(log_power(noise)[0]) < 3
