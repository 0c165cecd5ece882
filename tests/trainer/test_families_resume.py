"""Every family over every representation: killed in the middle and gone on with, it ends with the same bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genwright.core import component
from genwright.core.protocols import Encoded, GridShape, Shape, TokenShape, VectorColumn, VectorShape
from genwright.families.store import build_family
from genwright.trainer.loop import Job, Outcome
from genwright.trainer.rows import RowFeed

from .fakes import config, run

CELLS = TokenShape(8, 6, 7, 3, cells=((0, 2), (2, 2), (4, 2)))
SEQUENCES = TokenShape(8, 6, 7, 9)
VECTOR = VectorShape((VectorColumn("a", "number"), VectorColumn("b", "number"), VectorColumn("c", "category", 3)))
GRID = GridShape(1, 8, 8)
SMALL_VAE = {"width": 8, "d_latent": 4}
CASES: list[tuple[str, dict[str, Any], Shape]] = [
    ("autoregressive", {}, CELLS),
    ("autoregressive", {"order": "layout", "cell_width": 16, "cell_layers": 1}, CELLS),
    ("autoregressive", {"net": {"kind": "lstm", "d_model": 16}}, SEQUENCES),
    ("vae", {"d_latent": 4}, SEQUENCES),
    ("vae", {"d_latent": 4}, CELLS),
    ("vae", SMALL_VAE, VECTOR),
    ("vae", SMALL_VAE, GRID),
    ("vae", SMALL_VAE | {"quantiser": "vq", "num_codes": 8}, GRID),
    ("gan", {}, VECTOR),
    ("gan", {}, GRID),
    ("diffusion", {}, SEQUENCES),
    ("diffusion", {}, CELLS),
    ("diffusion", {}, VECTOR),
    ("diffusion", {"net": {"kind": "unet", "width": 8}}, GRID),
    ("latent", {"prior": "gan", "autoencoder": {"d_latent": 4}}, SEQUENCES),
    ("latent", {"prior": "diffusion", "autoencoder": SMALL_VAE}, GRID),
    ("latent", {"prior": "autoregressive", "autoencoder": SMALL_VAE | {"quantiser": "vq", "num_codes": 8}}, GRID),
]


class Killed(BaseException):
    """Stands for a kill: nothing is saved after it."""


def rows(shape: Shape) -> Encoded:
    rng = np.random.default_rng(0)
    if isinstance(shape, VectorShape):
        numbers, chosen = rng.normal(size=(40, 2)), np.eye(3)[rng.integers(3, size=40)]
        return Encoded(np.concatenate((numbers, chosen), axis=1).astype(np.float32))
    if isinstance(shape, GridShape):
        return Encoded(rng.integers(0, 256, (40, 1, 8, 8)).astype(np.uint8))
    if shape.cells:
        return Encoded(np.stack([rng.integers(first, first + count, 40) for first, count in shape.cells], axis=1))
    return Encoded(rng.integers(0, 6, (40, 6)), lengths=rng.integers(2, 7, 40))


def job(kind: str, settings: dict[str, Any], shape: Shape) -> Job:
    found: Any = component("families", kind).config.parse({"kind": kind} | settings, where="family")
    family = build_family(found.resolve(depth=1, shape=shape), shape=shape, seed=1)
    feed = RowFeed(rows(shape), shape=shape, seed=1, device="cpu")
    return Job(family, feed, [], batch_rows=8, micro_rows=8, learning_rate=1e-3)


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    return dict(outcome.tensors)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings", "shape"), CASES)
def test_a_kill_changes_nothing(kind: str, settings: dict[str, Any], shape: Shape, tmp_path: Path) -> None:
    asked = config(budget={"steps": 6}, checkpoint_seconds=1e-9, precision="float32")
    whole = run(job(kind, settings, shape), tmp_path / "whole", settings=asked)
    calls: list[int] = []

    def die() -> bool:
        calls.append(1)
        if len(calls) > 4:
            raise Killed
        return False

    decisions: dict[str, Any] = {}
    with pytest.raises(Killed):
        run(job(kind, settings, shape), tmp_path / "torn", settings=asked, should_stop=die, decisions=decisions)
    again = run(job(kind, settings, shape), tmp_path / "torn", settings=asked, decisions=decisions)
    one, two = weights(whole), weights(again)
    assert one.keys() == two.keys() and len(one) > 3
    assert all(torch.equal(one[name], two[name]) for name in one)
