"""The variational autoencoder over tokens: a latent of a whole sequence, and a causal decoder that reads it.

Source: arXiv:1511.06349, with free bits (arXiv:1606.04934, appendix C.8) against a latent that is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.requests import (
    asked,
    check_given,
    choose,
    condition_for,
    normal,
    up_to_end,
)
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_prior import (
    DIVERGENCE_SIGN,
    LatentPrior,
    divergence_from_normal,
    fit_to_latents,
    log_posterior,
    one_of_likely,
)
from genwright.nets.bidirectional import Bidirectional
from genwright.nets.causal import CausalReader

COMPLETION_STEPS = 16
LOG_SIGMA_RANGE = 6.0


class TokenVae(nn.Module):
    """q(z | x) by a net that sees the whole sequence, p(x | z) token by token, and p(z)."""

    needs_float32 = True
    signs = DIVERGENCE_SIGN
    takes_rows_by_length = True

    def __init__(self, config: VaeConfig, *, shape: TokenShape) -> None:
        super().__init__()
        assert config.width and config.num_layers and config.d_latent, "resolve() first"
        self.config, self.shape, self.d_latent = config, shape, config.d_latent
        self.length = len(shape.cells) or shape.context_tokens + 1
        self.start_id = shape.vocab_size
        self.encoder = Bidirectional(
            shape.vocab_size + 1,
            d_model=config.width,
            num_layers=config.num_layers,
            cond_size=shape.cond_size,
            fixed_length=len(shape.cells),
        )
        self.encoder.head = nn.Linear(config.width, 2 * config.d_latent)
        self.decoder = CausalReader(
            shape.vocab_size,
            d_model=config.width,
            num_layers=config.num_layers,
            d_read=config.d_latent,
            cond_size=shape.cond_size,
            cells=shape.cells,
        )
        # A mixture has a component for each class: of many words, and never fitted, it would be most of the model.
        told = shape.cond_size if config.prior == "mixture" else 0
        self.prior = LatentPrior(config.d_latent, cond_size=told, num_components=config.num_components)

    # --- training ------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: encoder and decoder."""
        return {"net": list(self.parameters())}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats per token: reconstruction, and the divergence from N(0, I) at its present weight, free up to a bound."""
        mean, log_sigma = self.posterior(batch)
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        read = self._inputs(batch.ids)
        if self.config.word_dropout:
            lost = torch.rand(read.shape, device=read.device) < self.config.word_dropout
            read = read.masked_fill(lost, self.start_id)
        weight = self._counted(batch)
        reconstruction = (self._nats(read, batch.ids, z, batch.cond) * weight).sum(1).mean()
        entries = divergence_from_normal(mean, log_sigma).mean(0)
        warm = self.config.warmup_fraction
        share = min(1.0, clock.fraction / warm) if warm else 1.0
        bounded = entries.clamp_min(self.config.free_nats).sum()
        tokens = weight.sum(1).mean()
        logs = {
            "loss": (reconstruction + entries.sum()).detach() / tokens,
            "divergence": entries.sum().detach(),
        }
        # Of rows of like length each has its own nats: by the mean of all rows, not by that of the batch.
        divisor = tokens if batch.mean_tokens is None else batch.mean_tokens
        yield "net", (reconstruction + share * bounded) / divisor, logs

    @torch.no_grad()
    def finish(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """The mixture over the latents of the train split."""
        fit_to_latents(self, batches, rng=rng)

    # --- likelihood and latents ----------------------------------------------------------------------------------

    def posterior(self, batch: Tokens) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and log standard deviation of q(z | x), read from the mean over the tokens that count."""
        hidden = self.encoder(batch.ids, batch.cond if self.shape.cond_size else None, batch.mask)
        seen = torch.ones_like(batch.ids) if batch.mask is None else batch.mask
        pooled = (hidden * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        mean, log_sigma = cast("Tensor", self.encoder.head(pooled)).float().chunk(2, dim=1)
        return mean, log_sigma.clamp(-LOG_SIGMA_RANGE, LOG_SIGMA_RANGE)

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The bound of K weighted posterior draws, under the prior that samples come from; the same at every call.

        Of sequences without a fixed layout it is given the first token. Source: arXiv:1509.00519, equation 8.
        """
        mean, log_sigma = self.posterior(batch)
        rng = torch.Generator().manual_seed(0)
        read, weight = self._inputs(batch.ids), self._counted(batch)
        cond = batch.cond if self.shape.cond_size else None
        each = []
        for _ in range(self.config.bound_samples):
            noise = normal(mean.shape, rng=rng, device=mean.device)
            z = mean + log_sigma.exp() * noise
            nats = (self._nats(read, batch.ids, z, batch.cond) * weight).double().sum(1)
            each.append(self.prior.log_prob(z, cond) - nats - log_posterior(noise, log_sigma))
        return Bound(torch.logsumexp(torch.stack(each), dim=0) - math.log(len(each)), "lower")

    def _nats(self, read: Tensor, ids: Int[Tensor, "b t"], z: Tensor, cond: Tensor | None) -> Float[Tensor, "b t"]:
        logits = self.decoder(read, z, cond if self.shape.cond_size else None)
        return functional.cross_entropy(logits.transpose(1, 2), ids, reduction="none")

    def _inputs(self, ids: Int[Tensor, "b t"]) -> Int[Tensor, "b t"]:
        """What stands before each token; before the first one a mark of the decoder's own."""
        return functional.pad(ids[:, :-1], (1, 0), value=self.start_id)

    def _counted(self, batch: Tokens) -> Float[Tensor, "b t"]:
        """1 for tokens that are modelled: not the begin mark, and nothing beyond the mask."""
        weight = torch.ones(batch.ids.shape, device=batch.ids.device) if batch.mask is None else batch.mask.float()
        if not self.shape.cells:
            weight = weight.clone()
            weight[:, 0] = 0.0
        return weight

    def embed(self, batch: Tokens) -> Float[Tensor, "b z"]:
        """The posterior mean."""
        return self.posterior(batch)[0]

    def reconstruct(self, batch: Tokens) -> Tokens:
        """The likeliest token at each place, from the posterior mean."""
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
        """The sequences of those latents, token by token. Without `rng` the likeliest tokens.

        `known` are tokens and where they hold.
        """
        told = condition_for(cond, shape=self.shape, count=len(z), device=z.device)
        ids = torch.full((len(z), self.length), self.shape.eos_id, device=z.device)
        last = torch.full((len(z),), self.start_id, device=z.device)
        ended = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        past: list[list[Tensor]] = [[] for _ in self.decoder.layers]
        onward = None if known is None or self.shape.cells else self._before_known(*known)
        for place in range(self.length):
            logits = self.decoder.step(last, z, told, place=place, past=past)
            if onward is not None and place < onward.shape[1]:
                logits[:, self.shape.eos_id].masked_fill_(onward[:, place], -torch.inf)
            draws = rng is not None and temperature > 0.0
            last = choose(logits / temperature, rng=rng) if draws else logits.argmax(-1)
            if not self.shape.cells:
                last = torch.full_like(last, self.shape.bos_id) if place == 0 else last
                last = torch.where(ended, self.shape.eos_id, last)
            if known is not None and place < known[0].shape[1]:
                last = torch.where(known[1][:, place], known[0][:, place], last)
            ids[:, place] = last
            if not self.shape.cells and place:
                ended = ended | (last == self.shape.eos_id)
                if bool(ended.all()) and known is None:
                    break
        return Tokens(ids, self._lengths(ids), told)

    def _weight(self, ids: Tensor, z: Tensor, cond: Tensor | None, held: Tensor) -> Float[Tensor, " b"]:
        """Log of how likely the held tokens were, and that the sequence did not end before them."""
        logits = self.decoder(self._inputs(ids), z, cond)[:, : held.shape[1]].log_softmax(-1)
        told: Tensor = logits.gather(2, ids[:, : held.shape[1], None])[..., 0]
        if self.shape.cells:
            return (told * held).sum(1)
        going_on = torch.log1p(-logits[..., self.shape.eos_id].exp().clamp_max(1.0 - 1e-6))
        terms: Tensor = torch.where(held, told, torch.where(self._before_known(ids, held), going_on, 0.0))
        return terms[:, 1:].sum(1)

    def _before_known(self, ids: Tensor, held: Tensor) -> Tensor:
        """Where a known token that is no end mark is still to come."""
        wanted = (held & (ids[:, : held.shape[1]] != self.shape.eos_id)).long()
        return (wanted.flip(1).cumsum(1).flip(1) - wanted) > 0

    def _lengths(self, ids: Tensor) -> Tensor | None:
        if self.shape.cells:
            return None
        return up_to_end(ids, eos_id=self.shape.eos_id)

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
        """`n` sequences, or completions of `given` (see `complete`).

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
        # A generator is always there: without one, tokens would not be drawn at all.
        own = rng if rng is not None else torch.Generator().manual_seed(torch.initial_seed())

        def draw() -> Tensor:
            return self.prior.draw(told, n=n, temperature=temperature, rng=own)

        if given is None:
            return self.decode_latent(draw(), cond=told, temperature=temperature, rng=own)
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
        """`n` completions of `given`: of `steps` latents for each, decoded with the known tokens held, one is kept.

        It is kept with a chance proportional to the probability that it gave the known tokens (likelihood weighting,
        Fung and Chang 1989), which is exact in the limit of many steps.

        Raises:
            CapabilityError: `given` does not fit.
        """
        values = getattr(getattr(given, "batch", None), "ids", torch.zeros(n, self.length))
        width = self.length if self.shape.cells or values.ndim != 2 else min(self.length, values.shape[1])
        found = check_given(given, entries=(width,), n=n)
        device = self.prior.weights.device
        held = found.known.to(device)
        known = (cast("Tokens", found.batch).ids.to(device), held)

        def make() -> tuple[Tensor, Tensor]:
            batch = self.decode_latent(z := draw(), cond=cond, temperature=temperature, rng=rng, known=known)
            return batch.ids, self._weight(batch.ids, z, cond, held)

        kept = one_of_likely(make, count=steps or COMPLETION_STEPS, rng=rng)
        return Tokens(kept, self._lengths(kept), cond)
