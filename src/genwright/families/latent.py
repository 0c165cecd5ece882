"""A family made of families: an autoencoder, then a prior over its latents. Source: arXiv:2112.10752, section 3."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core import component
from genwright.core.protocols import Batch, Bound, Clock, Shape, Vector
from genwright.families.config import FamilyConfig
from genwright.families.latent_config import LatentConfig, latent_shape
from genwright.families.requests import check_numbers, condition_for

AUTOENCODER, PRIOR = "autoencoder", "prior"
MIN_VARIANCE = 1e-4
# The share of a batch in mean and spread once very many rows went by.
MIN_SHARE = 1e-4


class Latent(nn.Module):
    """The autoencoder's parts are trained until `split` of the budget and then stand still; the prior's from there on.

    The prior sees latents drawn from the posterior, standardised by their mean and spread over all batches so far.
    There is no likelihood: that of the prior is none.
    """

    needs_float32 = True
    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, config: LatentConfig, *, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        inner = latent_shape(cast("int", config.autoencoder.d_latent), cond_size=shape.cond_size)
        self.autoencoder: Any = component("families", config.autoencoder.kind).load()(config.autoencoder, shape=shape)
        prior = cast("FamilyConfig", config.prior)
        self.prior: Any = component("families", prior.kind).load()(prior, shape=inner)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(inner.size))
        self.register_buffer("variance", torch.ones(inner.size))

    # --- training ------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """The parts of both families, each behind its family's name."""
        return {
            f"{name}/{part}": parameters
            for name, family in ((AUTOENCODER, self.autoencoder), (PRIOR, self.prior))
            for part, parameters in family.parts().items()
        }

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """What each family prefers."""
        rates = {AUTOENCODER: self.config.autoencoder, PRIOR: cast("FamilyConfig", self.config.prior)}
        families = {AUTOENCODER: self.autoencoder, PRIOR: self.prior}
        return {
            f"{name}/{part}": {"learning_rate": rates[name].learning_rate()} | dict(own)
            for name, family in families.items()
            for part, own in _preferred(family).items()
        }

    def window(self, part: str) -> tuple[float, float]:
        """The fractions of the budget between which a part is trained."""
        split = self.config.split
        return (0.0, split) if part.startswith(AUTOENCODER) else (split, 1.0)

    def losses(self, batch: Batch, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Those of the family whose turn it is, with a clock that runs over its window."""
        split = self.config.split
        if clock.fraction < split:
            name, family, data, local = AUTOENCODER, self.autoencoder, cast("Any", batch), clock.fraction / split
        else:
            name, family, local = PRIOR, self.prior, (clock.fraction - split) / (1.0 - split)
            data = Vector(self._latents(batch), batch.cond)
        for part, loss, logs in family.losses(data, Clock(clock.step, local)):
            yield f"{name}/{part}", loss, logs

    @torch.no_grad()
    def _latents(self, batch: Batch) -> Float[Tensor, "b z"]:
        """Standardised posterior draws; they also count towards mean and spread."""
        self.autoencoder.eval()
        mean, log_sigma = self.autoencoder.posterior(batch)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        self.count += len(z)
        share = (len(z) / self.count).clamp_min(MIN_SHARE)
        step = z.mean(0) - self.mean
        self.variance.lerp_(z.var(0, correction=0) + (1.0 - share) * step.square(), share)
        self.mean += share * step
        out: Tensor = (z - self.mean) / self._scale()
        return out

    def _scale(self) -> Float[Tensor, " z"]:
        return self.variance.clamp_min(MIN_VARIANCE).sqrt()

    @torch.no_grad()
    def finish(self, batches: Iterable[Batch], *, rng: torch.Generator) -> None:
        """The observation noise of the autoencoder that is kept."""
        self.autoencoder.finish(batches, rng=rng)

    # --- latents -------------------------------------------------------------------------------------------------

    def log_prob(self, batch: Batch) -> Bound:
        """None: see the class."""
        del batch
        return Bound(None, "none")

    def embed(self, batch: Batch) -> Float[Tensor, "b z"]:
        """The autoencoder's."""
        return cast("Tensor", self.autoencoder.embed(batch))

    def decode_latent(self, z: Float[Tensor, "b z"], **asked: Any) -> Batch:
        """The autoencoder's."""
        return cast("Batch", self.autoencoder.decode_latent(z, **asked))

    def reconstruct(self, batch: Batch) -> Batch:
        """The autoencoder's."""
        return cast("Batch", self.autoencoder.reconstruct(batch))

    # --- sampling ------------------------------------------------------------------------------------------------

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
    ) -> Batch:
        """`n` samples of the prior, decoded; `given` is completed as the autoencoder does, in `steps`.

        Raises:
            CapabilityError: arguments that do not fit, or that the prior refuses.
        """
        check_numbers(n, steps=steps, temperature=temperature)
        device = self.mean.device
        told = condition_for(cond, shape=self.shape, count=n, device=device)
        # A generator is always there, so that observation noise is drawn where samples have it.
        own = rng if rng is not None else torch.Generator().manual_seed(torch.initial_seed())
        inner = None if given is not None else steps

        def draw() -> Tensor:
            made = self.prior.sample(n, cond=cond, guidance=guidance, steps=inner, temperature=temperature, rng=own)
            z: Tensor = made.values * self._scale() + self.mean
            return z

        rest = {"cond": told, "temperature": temperature, "rng": own}
        if given is None:
            return cast("Batch", self.autoencoder.decode_latent(draw(), **rest))
        return cast("Batch", self.autoencoder.complete(draw, given, n=n, steps=steps, **rest))


def _preferred(family: Any) -> dict[str, Mapping[str, Any]]:
    """The optimiser settings of each part, empty where a family prefers none."""
    own = family.optimisers() if hasattr(family, "optimisers") else {}
    return {part: own.get(part, {}) for part in family.parts()}
