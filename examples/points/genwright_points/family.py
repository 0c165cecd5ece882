"""Kernel density: a family that is fitted in one pass. Its density is exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Given, Vector, VectorShape
from genwright_points.config import KernelDensityConfig


class KernelDensity:
    """A mixture of normals, one on every training sample, all of one width."""

    def __init__(self, config: KernelDensityConfig, *, shape: VectorShape) -> None:
        self.config, self.shape = config, shape
        self._centres = torch.zeros(1, shape.size)

    def fit(self, batches: Iterable[Vector], *, rng: torch.Generator) -> None:
        """Keeps the training samples."""
        del rng
        self._centres = torch.cat([batch.values for batch in batches])

    def state(self) -> Mapping[str, Tensor]:
        """The training samples."""
        return {"centres": self._centres}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        self._centres = state["centres"]

    def log_prob(self, batch: Vector) -> Bound:
        """The exact log-density in the codec's units."""
        squares = torch.cdist(batch.values, self._centres).square() / self.config.bandwidth**2
        norm = math.log(len(self._centres)) + self.shape.size * (
            math.log(self.config.bandwidth) + 0.5 * math.log(2 * math.pi)
        )
        return Bound((-0.5 * squares).logsumexp(1) - norm, "exact")

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        cond: Tensor | None = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Vector:
        """`n` samples; where entries are given, centres are drawn by how well they fit these.

        Raises:
            CapabilityError: a condition or a number of steps is asked for.
        """
        if cond is not None or guidance != 1.0 or steps is not None:
            raise CapabilityError("kernel density takes no condition and no steps")
        weights = torch.zeros(n, len(self._centres))
        if given is not None:
            assert isinstance(given.batch, Vector)
            gap = (given.batch.values[:, None] - self._centres) / self.config.bandwidth
            weights = -0.5 * (gap.square() * given.known[:, None]).sum(-1)
        chosen = torch.multinomial(weights.softmax(1), 1, generator=rng)[:, 0]
        noise = torch.randn(n, self.shape.size, generator=rng) * self.config.bandwidth * temperature
        drawn = self._centres[chosen] + noise
        return Vector(drawn if given is None else torch.where(given.known, given.batch.values, drawn))
