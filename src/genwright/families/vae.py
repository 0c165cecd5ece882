"""The variational autoencoder over vectors and images: a bound to train on, a latent to look at and to draw from.

Source: arXiv:1312.6114, equation 3, with the observation noise of arXiv:2006.13202.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import Bound, Clock, Grid, GridShape, Shape, TokenShape, Vector, VectorShape
from genwright.families.config import has_own_ids
from genwright.families.requests import asked, check_given, condition_for, normal
from genwright.families.vae_cells import CellVae
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_nets import GridDecoder, GridEncoder, VectorDecoder, VectorEncoder
from genwright.families.vae_observation import GridObservation, VectorObservation
from genwright.families.vae_prior import DIVERGENCE_SIGN, LatentPrior, divergence_from_normal, log_posterior
from genwright.families.vae_tokens import TokenVae
from genwright.families.vae_vq import VqVae

Dense = Grid | Vector
COMPLETION_STEPS = 30
LOG_SIGMA_RANGE = 6.0


def vae(config: VaeConfig, *, shape: Shape) -> nn.Module:
    """The variational autoencoder for that representation."""
    if isinstance(shape, TokenShape):
        return CellVae(config, shape=shape) if has_own_ids(shape) else TokenVae(config, shape=shape)
    if config.quantiser == "vq":
        return VqVae(config, shape=cast("GridShape", shape))
    return Vae(config, shape=shape)


class Vae(nn.Module):
    """q(z | x) and p(x | z), both told the condition where there is one, and p(z)."""

    needs_float32 = True
    signs = DIVERGENCE_SIGN

    def __init__(self, config: VaeConfig, *, shape: GridShape | VectorShape) -> None:
        super().__init__()
        assert config.width and config.num_layers and config.d_latent, "resolve() first"
        self.config, self.shape, self.d_latent = config, shape, config.d_latent
        sizes = {"d_latent": config.d_latent, "width": config.width, "num_layers": config.num_layers}
        self.encoder: GridEncoder | VectorEncoder
        self.decoder: GridDecoder | VectorDecoder
        self.observation: GridObservation | VectorObservation
        if isinstance(shape, GridShape):
            self.observation = GridObservation(shape)
            self.encoder, self.decoder = GridEncoder(shape, **sizes), GridDecoder(shape, normalised=True, **sizes)
        else:
            self.observation = VectorObservation(shape)
            self.encoder, self.decoder = VectorEncoder(shape, **sizes), VectorDecoder(shape, **sizes)
        if config.noise is not None:
            self.observation.noisy = config.noise
        # A mixture has a component for each class: of many words, and never fitted, it would be most of the model.
        told = shape.cond_size if config.prior == "mixture" else 0
        self.prior = LatentPrior(config.d_latent, cond_size=told, num_components=config.num_components)

    # --- training ------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: encoder and decoder."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW with little decay; convolutions are no matrices for Muon."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.01, "clip_norm": 100.0}}

    def losses(self, batch: Dense, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats of each sample: reconstruction, and the divergence from N(0, I) at its present weight."""
        mean, log_sigma = self.posterior(batch)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        reconstruction = self.observation.loss(self.decoder(z, batch.cond), batch.values).mean()
        divergence = divergence_from_normal(mean, log_sigma).sum(1).mean()
        warm = self.config.warmup_fraction
        weight = min(1.0, clock.fraction / warm) if warm else 1.0
        logs = {
            "loss": (reconstruction + divergence).detach(),
            "reconstruction": reconstruction.detach(),
            "divergence": divergence.detach(),
        }
        # Gradients are per entry, so that one clipping norm suits images of any size.
        yield "net", (reconstruction + weight * divergence) / self.shape.size, logs

    @torch.no_grad()
    def finish(self, batches: Iterable[Dense], *, rng: torch.Generator) -> None:
        """The observation noise of the weights that are kept, and the mixture over the latents of the train split."""
        latents: list[Tensor] = []
        conds: list[Tensor | None] = []
        squares = torch.zeros((), dtype=torch.float64, device=self.prior.weights.device)
        count = held = 0
        for batch in batches:
            mean, log_sigma = self.posterior(batch)
            z = mean + log_sigma.exp() * normal(mean.shape, rng=rng, device=mean.device)
            out = self.decoder(z, batch.cond)
            squares = squares + self.observation.errors(out, batch.values).double().sum(0)
            count += len(batch)
            if held < self.config.mixture_rows:
                latents.append(z)
                conds.append(batch.cond)
                held += len(z)
        if not count:
            return
        self.observation.settle((squares / count).float())
        if self.config.prior == "mixture":
            cond = torch.cat(cast("list[Tensor]", conds)) if self.shape.cond_size and conds[0] is not None else None
            self.prior.fit(torch.cat(latents), cond, rng=rng)

    # --- likelihood and latents ----------------------------------------------------------------------------------

    def posterior(self, batch: Dense) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and log standard deviation of q(z | x)."""
        mean, log_sigma = self.encoder(batch.values, batch.cond).chunk(2, dim=1)
        return mean, log_sigma.clamp(-LOG_SIGMA_RANGE, LOG_SIGMA_RANGE)

    @torch.no_grad()
    def log_prob(self, batch: Dense) -> Bound:
        """The bound of K weighted posterior draws, under the prior that samples come from.

        Images: mass of the levels. Vectors: density of the standardised numbers times mass of the categories. The
        draws are the same at every call. Source: arXiv:1509.00519, equation 8.
        """
        mean, log_sigma = self.posterior(batch)
        rng = torch.Generator().manual_seed(0)
        each = []
        for _ in range(self.config.bound_samples):
            noise = normal(mean.shape, rng=rng, device=mean.device)
            z = mean + log_sigma.exp() * noise
            seen = self.observation.log_prob(self.decoder(z, batch.cond), batch.values).double()
            each.append(seen + self.prior.log_prob(z, batch.cond) - log_posterior(noise, log_sigma))
        return Bound(torch.logsumexp(torch.stack(each), dim=0) - math.log(len(each)), "lower")

    def embed(self, batch: Dense) -> Float[Tensor, "b z"]:
        """The posterior mean."""
        return self.posterior(batch)[0]

    def decode_latent(
        self,
        z: Float[Tensor, "b z"],
        *,
        cond: Any = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Dense:
        """The samples of those latents. Without `rng` the likeliest values."""
        told = condition_for(cond, shape=self.shape, count=len(z), device=z.device)
        out = self.decoder(z, told)
        scale = temperature if rng is not None else 0.0
        values = self.observation.draw(out, temperature=scale, rng=rng)
        return self._batch(values, told)

    def reconstruct(self, batch: Dense) -> Dense:
        """The likeliest values at the posterior mean."""
        return self.decode_latent(self.embed(batch), cond=batch.cond)

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
    ) -> Dense:
        """`n` samples, or completions of `given` by `steps` rounds of encoding and decoding.

        Each round draws z given the whole sample and then the unknown entries given z. Source: arXiv:1401.4082,
        appendix F.

        Raises:
            CapabilityError: guidance, or arguments that do not fit.
        """
        told = asked(
            self,
            n,
            cond=cond,
            guidance=guidance,
            steps=steps,
            temperature=temperature,
            device=self.prior.weights.device,
        )

        def draw() -> Tensor:
            return self.prior.draw(told, n=n, temperature=temperature, rng=rng)

        if given is not None:
            return self.complete(draw, given, n=n, cond=told, steps=steps, temperature=temperature, rng=rng)
        values = self.observation.draw(self.decoder(draw(), told), temperature=temperature, rng=rng)
        return self._batch(values, told)

    @torch.no_grad()
    def complete(
        self,
        draw: Callable[[], Tensor],
        given: Any,
        *,
        n: int,
        cond: Tensor | None = None,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Dense:
        """`n` completions of `given` by `steps` rounds of encoding and decoding, from the latents that `draw` gives.

        Raises:
            CapabilityError: `given` does not fit.
        """
        told = cond
        values = self.observation.draw(self.decoder(draw(), told), temperature=temperature, rng=rng)
        found = check_given(given, entries=values.shape[1:], n=n)
        known, fixed = found.known.to(values.device), cast("Dense", found.batch).values.to(values)
        for _ in range(steps or COMPLETION_STEPS):
            mean, log_sigma = self.posterior(self._batch(torch.where(known, fixed, values), told))
            z = mean + temperature * log_sigma.exp() * normal(mean.shape, rng=rng, device=mean.device)
            values = self.observation.draw(self.decoder(z, told), temperature=temperature, rng=rng)
        return self._batch(torch.where(known, fixed, values), told)

    def _batch(self, values: Tensor, cond: Tensor | None) -> Dense:
        return Grid(values, cond) if isinstance(self.shape, GridShape) else Vector(values, cond)
