"""The variational autoencoder over cells with ids of their own (columns of a table): perceptrons both ways.

Source: as `vae_tokens`; the decoder is autoregressive in any order (arXiv:1310.1757), told the latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.cell_net import CellNet, random_order
from genwright.families.requests import asked, check_given, choose, condition_for, normal
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_prior import (
    DIVERGENCE_SIGN,
    LatentPrior,
    divergence_from_normal,
    fit_to_latents,
    log_posterior,
    one_of_likely,
)
from genwright.nets.mlp import Mlp

COMPLETION_STEPS = 16
LOG_SIGMA_RANGE = 6.0


class CellVae(nn.Module):
    """q(z | x) from the whole row, p(x | z) cell by cell, and p(z)."""

    needs_float32 = True
    signs = DIVERGENCE_SIGN

    def __init__(self, config: VaeConfig, *, shape: TokenShape) -> None:
        super().__init__()
        assert config.width and config.num_layers and config.d_latent, "resolve() first"
        self.config, self.shape, self.d_latent = config, shape, config.d_latent
        self.embedding = nn.EmbeddingBag(shape.vocab_size, config.width, mode="sum")
        nn.init.normal_(self.embedding.weight, std=len(shape.cells) ** -0.5)
        self.embedding.weight.is_embedding = True  # type: ignore[attr-defined]
        width, layers = config.width, config.num_layers
        self.encoder = Mlp(width, 2 * config.d_latent, width=width, num_layers=layers, cond_size=shape.cond_size)
        self.decoder = CellNet(shape, width=width, num_layers=layers, d_read=config.d_latent)
        told = shape.cond_size if config.prior == "mixture" else 0
        self.prior = LatentPrior(config.d_latent, cond_size=told, num_components=config.num_components)

    # --- training ------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: encoder and decoder."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW with the decay of the net in any order."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.3}}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats per cell: reconstruction, and the divergence from N(0, I) at its present weight, free up to a bound."""
        mean, log_sigma = self.posterior(batch)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        reconstruction = self.decoder.mean_unknown(batch, *random_order(batch.ids), z).mean()
        cells = batch.ids.shape[1]
        entries = divergence_from_normal(mean, log_sigma).mean(0)
        warm = self.config.warmup_fraction
        share = min(1.0, clock.fraction / warm) if warm else 1.0
        bounded = entries.clamp_min(self.config.free_nats).sum()
        logs = {
            "loss": reconstruction.detach() + entries.sum().detach() / cells,
            "divergence": entries.sum().detach(),
        }
        yield "net", reconstruction + share * bounded / cells, logs

    @torch.no_grad()
    def finish(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """The mixture over the latents of the train split."""
        fit_to_latents(self, batches, rng=rng)

    # --- likelihood and latents ----------------------------------------------------------------------------------

    def posterior(self, batch: Tokens) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and log standard deviation of q(z | x)."""
        cond = batch.cond if self.shape.cond_size else None
        mean, log_sigma = self.encoder(self.embedding(batch.ids), cond=cond).chunk(2, dim=1)
        return mean, log_sigma.clamp(-LOG_SIGMA_RANGE, LOG_SIGMA_RANGE)

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The bound of K weighted posterior draws, under the prior that samples come from; the same at every call.

        Source: arXiv:1509.00519, equation 8.
        """
        mean, log_sigma = self.posterior(batch)
        rng = torch.Generator().manual_seed(0)
        cond = batch.cond if self.shape.cond_size else None
        each = []
        for _ in range(self.config.bound_samples):
            noise = normal(mean.shape, rng=rng, device=mean.device)
            z = mean + log_sigma.exp() * noise
            nats = self.decoder.in_layout_order(batch.ids, cond, z).sum(1)
            each.append(self.prior.log_prob(z, cond) - nats - log_posterior(noise, log_sigma))
        return Bound(torch.logsumexp(torch.stack(each), dim=0) - math.log(len(each)), "lower")

    @torch.no_grad()
    def held_out_nats(self, batch: Tokens) -> Tensor:
        """The bound of each row by one posterior draw under N(0, I), as trained; the same at every call."""
        mean, log_sigma = self.posterior(batch)
        noise = normal(mean.shape, rng=torch.Generator().manual_seed(0), device=mean.device)
        nats = self.decoder.in_layout_order(batch.ids, batch.cond, mean + log_sigma.exp() * noise).sum(1)
        return nats.float() + divergence_from_normal(mean, log_sigma).sum(1)

    def embed(self, batch: Tokens) -> Float[Tensor, "b z"]:
        """The posterior mean."""
        return self.posterior(batch)[0]

    def reconstruct(self, batch: Tokens) -> Tokens:
        """The likeliest cells, one after another, from the posterior mean."""
        return self.decode_latent(self.embed(batch), cond=batch.cond)

    @torch.no_grad()
    def decode_latent(
        self,
        z: Float[Tensor, "b z"],
        *,
        cond: Any = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
        known: tuple[Tensor, Tensor] | None = None,
    ) -> Tokens:
        """The rows of those latents, cell by cell. Without `rng` the likeliest. `known` are ids and where they hold."""
        told = condition_for(cond, shape=self.shape, count=len(z), device=z.device)
        return self._decode(z, told, temperature, rng, known)[0]

    def _decode(
        self,
        z: Tensor,
        told: Tensor | None,
        temperature: float,
        rng: torch.Generator | None,
        known: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tokens, Float[Tensor, " b"]]:
        """The rows, and the log-probability that each gave to its known cells."""
        ids = torch.zeros(len(z), len(self.shape.cells), dtype=torch.long, device=z.device)
        seen, weight = torch.zeros_like(ids, dtype=torch.bool), torch.zeros(len(z), device=z.device)
        draws = rng is not None and temperature > 0.0
        for cell, (first, _) in enumerate(self.shape.cells):
            logits = self.decoder.own(cell, self.decoder.scores(ids, seen, told, z)).log_softmax(1)
            ids[:, cell] = first + (choose(logits / temperature, rng=rng) if draws else logits.argmax(-1))
            if known is not None:
                given, held = known[0][:, cell], known[1][:, cell]
                ids[:, cell] = torch.where(held, given, ids[:, cell])
                likely = logits.gather(1, (ids[:, cell] - first)[:, None])[:, 0]
                weight = weight + torch.where(held, likely, 0.0)
            seen[:, cell] = True
        return Tokens(ids, cond=told), weight

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
    ) -> Tokens:
        """`n` rows, or completions of `given` (see `complete`).

        Raises:
            CapabilityError: guidance, or arguments that do not fit.
        """
        device = self.prior.weights.device
        told = asked(self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device)
        # A generator is always there: without one, cells would not be drawn at all.
        own = rng if rng is not None else torch.Generator().manual_seed(torch.initial_seed())

        def draw() -> Tensor:
            return self.prior.draw(told, n=n, temperature=temperature, rng=own)

        if given is None:
            return self._decode(draw(), told, temperature, own, None)[0]
        return self.complete(draw, given, n=n, cond=told, steps=steps, temperature=temperature, rng=own)

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
    ) -> Tokens:
        """`n` completions of `given`: of `steps` latents for each, decoded with the known cells held, one is kept.

        It is kept with a chance proportional to the probability that it gave the known cells (likelihood weighting,
        Fung and Chang 1989), which is exact in the limit of many steps.

        Raises:
            CapabilityError: `given` does not fit.
        """
        device = self.prior.weights.device
        found = check_given(given, entries=(len(self.shape.cells),), n=n)
        known = (cast("Tokens", found.batch).ids.to(device), found.known.to(device))

        def make() -> tuple[Tensor, Tensor]:
            batch, weight = self._decode(draw(), cond, temperature, rng, known)
            return batch.ids, weight

        return Tokens(one_of_likely(make, count=steps or COMPLETION_STEPS, rng=rng), cond=cond)
