"""A family made of families: an autoencoder, then a prior over its latents. Source: arXiv:2112.10752, section 3."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.core.protocols import Bound, GridShape, RowBatch, Shape, Vector
from genwright.families.latent_codes import CodeLatent
from genwright.families.latent_config import LatentConfig
from genwright.families.latent_stages import TwoStage
from genwright.families.requests import asked

MIN_VARIANCE = 1e-4
# The share of a batch in mean and spread once very many rows went by.
MIN_SHARE = 1e-4


def latent(config: LatentConfig, *, shape: Shape) -> TwoStage:
    """The two-stage family: over the codes of a quantiser where the autoencoder has one, over numbers otherwise."""
    if config.autoencoder.quantiser == "vq":
        return CodeLatent(config, shape=cast("GridShape", shape))
    return Latent(config, shape=shape)


class Latent(TwoStage):
    """The prior sees latents drawn from the posterior, standardised by their mean and spread over all batches so far.

    There is no likelihood: that of the prior is none.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, config: LatentConfig, *, shape: Shape) -> None:
        super().__init__(config, shape=shape)
        size = cast("int", config.autoencoder.d_latent)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))

    @torch.no_grad()
    def latents(self, batch: RowBatch) -> Vector:
        """Standardised posterior draws; they also count towards mean and spread."""
        mean, log_sigma = self.autoencoder.posterior(batch)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        self.count += len(z)
        share = (len(z) / self.count).clamp_min(MIN_SHARE)
        step = z.mean(0) - self.mean
        self.variance.lerp_(z.var(0, correction=0) + (1.0 - share) * step.square(), share)
        self.mean += share * step
        return Vector((z - self.mean) / self._scale(), batch.cond)

    def _scale(self) -> Float[Tensor, " z"]:
        return self.variance.clamp_min(MIN_VARIANCE).sqrt()

    def log_prob(self, batch: RowBatch) -> Bound:
        """None: see the class."""
        del batch
        return Bound(None, "none")

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
    ) -> RowBatch:
        """`n` samples of the prior, decoded; `given` is completed as the autoencoder does, in `steps`.

        Raises:
            CapabilityError: arguments that do not fit, or that the prior refuses.
        """
        told = asked(
            self,
            n,
            cond=cond,
            guidance=guidance,
            steps=steps,
            temperature=temperature,
            device=self.mean.device,
            guides=True,
        )
        # A generator is always there, so that observation noise is drawn where samples have it.
        own = rng if rng is not None else torch.Generator().manual_seed(torch.initial_seed())
        inner = None if given is not None else steps

        def draw() -> Tensor:
            made = self.prior.sample(n, cond=cond, guidance=guidance, steps=inner, temperature=temperature, rng=own)
            z: Tensor = made.values * self._scale() + self.mean
            return z

        rest = {"cond": told, "temperature": temperature, "rng": own}
        if given is None:
            return cast("RowBatch", self.autoencoder.decode_latent(draw(), **rest))
        return cast("RowBatch", self.autoencoder.complete(draw, given, n=n, steps=steps, **rest))
