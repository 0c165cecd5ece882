"""Samples are drawn as they were when the system was measured, unless something else is asked for."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from genwright.core import CapabilityError, SpecError
from genwright.core.protocols import Encoded, Vector, VectorColumn, VectorShape
from genwright.systems import DrawingConfig, Manifest
from genwright.systems.rows import RowSystem

DIGEST = "0" * 64


class Recorder:
    """A family that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def sample(self, n: int, **asked: Any) -> Vector:
        self.asked.append({name: asked[name] for name in ("guidance", "steps", "temperature")})
        return Vector(torch.zeros(n, 1))


class Plain:
    """A codec of one number that is told another."""

    shape = VectorShape((VectorColumn("x", "number"),), cond_size=1)
    conditioner = None

    def encode(self, rows: pa.Table) -> Encoded:
        return Encoded(np.zeros((len(rows), 1), np.float32), cond=np.zeros((len(rows), 1), np.float32))

    def encode_given(self, rows: pa.Table) -> Encoded:
        return self.encode(rows)

    def decode(self, encoded: Encoded) -> pa.Table:
        return pa.table({"x": encoded.values[:, 0]})


def test_the_manifest_says_how_samples_are_drawn() -> None:
    drawing = DrawingConfig(temperature=0.9, guidance=3.0, steps=7)
    manifest = Manifest(backend="rows", modality="table", model=DIGEST, codec=DIGEST, drawing=drawing)
    family = Recorder()
    system = RowSystem(family, codec=Plain(), manifest=manifest)  # type: ignore[arg-type]
    assert len(system.sample(2)) == 2
    system.sample(2, temperature=0.5, guidance=2.0, steps=3)
    assert family.asked == [
        {"guidance": 1.0, "steps": 7, "temperature": 0.9},  # nothing to guide towards
        {"guidance": 2.0, "steps": 3, "temperature": 0.5},
    ]


class Told(Plain):
    """A codec that tells its samples something where nothing is asked."""

    def usual_condition(self, count: int) -> Any:
        return np.full((count, 1), 7.0, np.float32)


def test_what_a_codec_tells_by_itself_is_told_where_nothing_is_asked() -> None:
    class Keeper(Recorder):
        def sample(self, n: int, **asked: Any) -> Vector:
            self.asked.append(asked)
            return Vector(torch.zeros(n, 1))

    family = Keeper()
    for codec in (Told(), Plain()):
        RowSystem(family, codec=codec).sample(2)  # type: ignore[arg-type]
    assert family.asked[0]["cond"].tolist() == [[7.0], [7.0]] and family.asked[1]["cond"] is None


class Halves:
    """A family whose latent is half of each number."""

    def embed(self, batch: Vector) -> torch.Tensor:
        return batch.values / 2

    def decode_latent(self, z: torch.Tensor, *, cond: Any = None) -> Vector:
        return Vector(z * 2)


class Pair(Plain):
    """A codec of two numbers."""

    shape = VectorShape((VectorColumn("x", "number"), VectorColumn("y", "number")))

    def encode(self, rows: pa.Table) -> Encoded:
        return Encoded(np.stack([rows["x"].to_numpy(), rows["y"].to_numpy()], 1).astype(np.float32))

    def decode(self, encoded: Encoded) -> pa.Table:
        return pa.table({"x": encoded.values[:, 0], "y": encoded.values[:, 1]})


def test_the_way_from_one_sample_to_another_is_an_arc() -> None:
    system = RowSystem(Halves(), codec=Pair())  # type: ignore[arg-type]
    assert "interpolate" in system.capabilities
    made = system.interpolate(pa.table({"x": [3.0, 0.0], "y": [0.0, 3.0]}), 3)
    np.testing.assert_allclose(made["x"].to_numpy(), [3.0, 3.0 / 2**0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(made["y"].to_numpy(), [0.0, 3.0 / 2**0.5, 3.0], atol=1e-6)
    with pytest.raises(SpecError, match="no way from one to another"):
        system.interpolate(pa.table({"x": [3.0, 0.0], "y": [0.0, 3.0]}), 1)
    line = system.interpolate(pa.table({"x": [0.0, 1.0], "y": [0.0, 2.0]}), 3)
    np.testing.assert_allclose(line["y"].to_numpy(), [0.0, 1.0, 2.0], atol=1e-6)


def test_without_a_latent_there_is_no_way() -> None:
    system = RowSystem(Recorder(), codec=Plain())  # type: ignore[arg-type]
    with pytest.raises(CapabilityError, match="cannot interpolate"):
        system.interpolate(pa.table({"x": [1.0, 2.0]}), 3)
