"""A baseline for images without a net: principal directions, and a Gaussian mixture over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.core import CapabilityError, DataError
from genwright.core.protocols import Bound, Grid, GridShape
from genwright.families.pca_mixture_config import PcaMixtureConfig
from genwright.families.requests import asked, uniform
from genwright.families.vae_prior import LatentPrior

# Bounds the memory of the rows that are looked at: 400 MB.
MAX_ENTRIES = 100_000_000
POWER_ITERATIONS = 4
MIN_VARIANCE = 1e-10
PRIOR = "prior."


class PcaMixture:
    """x = mean + directions y + noise, y from a mixture with full covariances (one of its own for each class).

    Source: probabilistic principal components, Tipping and Bishop 1999, equations 4 and 8, with a mixture for y.
    """

    def __init__(self, config: PcaMixtureConfig, *, shape: GridShape) -> None:
        self.config, self.shape = config, shape
        self.mean = torch.zeros(shape.size)
        self.directions = torch.zeros(shape.size, config.num_directions)
        self.variance = torch.ones(())
        self.prior = LatentPrior(config.num_directions, cond_size=shape.cond_size, num_components=config.num_components)

    def fit(self, batches: Iterable[Grid], *, rng: torch.Generator) -> None:
        """Fits directions and mixture to the first rows, spread over their levels.

        Raises:
            DataError: there are fewer than two images.
        """
        rows, cond = self._rows(batches)
        if len(rows) < 2:
            raise DataError(f"a mixture needs at least two images, got {len(rows)}")
        rows = rows + self._within_level(rows, rng)
        self.mean = rows.mean(0)
        centred = rows - self.mean
        count = min(self.config.num_directions, *centred.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(0, 2**31, (1,), generator=rng)))
            _, _, found = torch.svd_lowrank(centred, q=count, niter=POWER_ITERATIONS)
        self.directions = torch.zeros(self.shape.size, self.config.num_directions)
        self.directions[:, :count] = found
        y = centred @ self.directions
        left = self.shape.size - count
        self.variance = ((centred.square().sum() - y.square().sum()) / (len(rows) * max(left, 1))).clamp_min(
            MIN_VARIANCE
        )
        self.prior.fit(y, cond, rng=rng)

    def _rows(self, batches: Iterable[Grid]) -> tuple[Tensor, Tensor | None]:
        most = min(self.config.max_rows, max(2, MAX_ENTRIES // self.shape.size))
        values: list[Tensor] = []
        conds: list[Tensor] = []
        held = 0
        for batch in batches:
            if held >= most:
                continue  # the rest is still counted by who feeds it
            values.append(batch.values.flatten(1).float().cpu()[: most - held])
            if self.shape.cond_size and batch.cond is not None:
                conds.append(batch.cond.cpu()[: most - held])
            held += len(values[-1])
        rows = torch.cat(values) if values else torch.zeros(0, self.shape.size)
        return rows, torch.cat(conds) if conds else None

    def _within_level(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """A uniform shift within each entry's level, which makes a density of a mass."""
        return (uniform(rows.shape, rng=rng, device=rows.device) - 0.5) * self._level()

    def _level(self) -> float:
        return 2.0 / (self.shape.levels - 1)

    def state(self) -> Mapping[str, Tensor]:
        """What was fitted."""
        own = {"mean": self.mean, "directions": self.directions, "variance": self.variance}
        return own | {f"{PRIOR}{name}": value for name, value in self.prior.state_dict().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up what `state` gave."""
        self.mean, self.directions, self.variance = (state[name] for name in ("mean", "directions", "variance"))
        inner = {name.removeprefix(PRIOR): value for name, value in state.items() if name.startswith(PRIOR)}
        self.prior.load_state_dict(inner)

    @torch.no_grad()
    def log_prob(self, batch: Grid) -> Bound:
        """A bound on the log-mass of the levels, in nats: the density at a shifted point times the level's width.

        The shift is the same at every call. Source: arXiv:1511.01844, section 3.1.
        """
        rows = batch.values.flatten(1).float()
        rng = torch.Generator().manual_seed(0)
        centred = rows + self._within_level(rows, rng) - self.mean
        y = centred @ self.directions
        left = self.shape.size - int(self.directions.any(0).sum())
        outside = (centred.square().sum(1) - y.square().sum(1)).clamp_min(0.0).double()
        spread = 0.5 * (outside / self.variance + left * math.log(2.0 * math.pi * float(self.variance)))
        cond = batch.cond if self.shape.cond_size else None
        return Bound(self.prior.log_prob(y, cond) - spread + self.shape.size * math.log(self._level()), "lower")

    def embed(self, batch: Grid) -> Float[Tensor, "b z"]:
        """Coordinates in the main directions."""
        return (batch.values.flatten(1).float() - self.mean) @ self.directions

    def decode_latent(self, z: Float[Tensor, "b z"], *, cond: Tensor | None = None) -> Grid:
        """The images at those coordinates, without noise."""
        values = (self.mean + z @ self.directions.T).clamp(-1.0, 1.0)
        return Grid(values.view(-1, self.shape.channels, self.shape.height, self.shape.width), cond)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Any = None,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Grid:
        """`n` images without the noise outside of the directions.

        Raises:
            CapabilityError: `given`, guidance, or arguments that do not fit.
        """
        if given is not None:
            raise CapabilityError("family 'pca-mixture' completes nothing", hint="use vae or diffusion")
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=self.mean.device
        )
        return self.decode_latent(self.prior.draw(told, n=n, temperature=temperature, rng=rng), cond=told)
