"""A prior over the codes of a quantising autoencoder. Source: arXiv:1711.00937, section 3.3."""

from __future__ import annotations

from typing import Any, cast

import torch

from genwright.core.protocols import Bound, Grid, Tokens
from genwright.families.latent_stages import TwoStage


class CodeLatent(TwoStage):
    """p(codes) by an autoregressive or a masked-diffusion family, then the image of the codes."""

    @torch.no_grad()
    def latents(self, batch: Any) -> Tokens:
        """The codes of each image."""
        return cast("Tokens", self.autoencoder.codes(batch))

    @torch.no_grad()
    def log_prob(self, batch: Grid) -> Bound:
        """Log p(codes) + log p(image | codes) at the image's own codes: one term of a sum, so a lower bound."""
        codes = self.autoencoder.codes(batch)
        prior = self.prior.log_prob(codes).value
        return Bound(prior + self.autoencoder.log_likelihood(batch, codes), "lower")

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
        """`n` images of codes that the prior draws; `given` is completed as the autoencoder does, in `steps`.

        Raises:
            CapabilityError: arguments that do not fit, or that the prior refuses.
        """
        inner = None if given is not None else steps
        codes = self.prior.sample(n, cond=cond, guidance=guidance, steps=inner, temperature=temperature, rng=rng)
        start: Grid = self.autoencoder.decode_codes(codes, temperature=temperature, rng=rng)
        return start if given is None else cast("Grid", self.autoencoder.complete(start, given, steps=steps))
