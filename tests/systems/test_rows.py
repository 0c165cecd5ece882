"""Samples are drawn as they were when the system was measured, unless something else is asked for."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch

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
