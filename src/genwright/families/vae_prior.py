"""The density that latents are drawn from: a standard normal, or a mixture fitted after training.

Source: ex-post density estimation, arXiv:1903.12436, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genwright.core.protocols import Tokens
from genwright.families.mixture import fit_mixture, log_densities
from genwright.families.requests import choose, normal, uniform

# What a VAE logs of its latent, and the claim of how it stood at the end: near 0 the decoder ignores it.
DIVERGENCE_SIGN: Mapping[str, tuple[str, str]] = {"divergence": ("latent_divergence", "nats/sample")}


@dataclass(frozen=True)
class _Components:
    """Gaussians over the latent of each row's condition: log-weights (n, m), means (n, m, z), factors (m, z, z)."""

    log_weights: Tensor
    means: Tensor
    factors: Tensor


class LatentPrior(nn.Module):
    """p(z), or p(z | cond): standard normal until `fit`, then a Gaussian mixture with full covariances.

    Where conditions are one-hot each class has components of its own. Other conditions are modelled together with the
    latents, and drawing conditions that joint mixture on them.
    """

    fitted: Tensor
    weights: Tensor
    means: Tensor
    covariances: Tensor
    label: Tensor

    def __init__(self, d_latent: int, *, cond_size: int, num_components: int) -> None:
        super().__init__()
        self.d_latent, self.cond_size, self.num_components = d_latent, cond_size, max(num_components, cond_size)
        size = d_latent + cond_size
        self.register_buffer("fitted", torch.zeros(()))
        self.register_buffer("weights", torch.zeros(self.num_components))
        self.register_buffer("means", torch.zeros(self.num_components, size))
        self.register_buffer("covariances", torch.eye(size).repeat(self.num_components, 1, 1))
        self.register_buffer("label", torch.full((self.num_components,), -1, dtype=torch.long))

    @torch.no_grad()
    def fit(self, z: Float[Tensor, "n z"], cond: Float[Tensor, "n k"] | None, /, *, rng: torch.Generator) -> None:
        """Fits the mixture; rows without a condition are left out where there are conditions."""
        self.weights.zero_()
        self.label.fill_(-1)
        if cond is not None:
            told = ~cond.isnan().any(1)
            z, cond = z[told], cond[told]
        if len(z) < 2:
            return
        if cond is not None and _is_one_hot(cond):
            self._fit_classes(z, cond, rng)
        else:
            rows = z if cond is None else torch.cat((z, cond), dim=1)
            self._keep(rows, at=0, count=self.num_components, share=1.0, rng=rng)
        self.fitted.fill_(1.0)

    def _fit_classes(self, z: Tensor, cond: Tensor, rng: torch.Generator) -> None:
        each = self.num_components // self.cond_size
        for label in range(self.cond_size):
            mine = cond[:, label] > 0.5
            rows = torch.cat((z[mine], cond[mine]), dim=1)
            if len(rows):
                self._keep(rows, at=label * each, count=each, share=len(rows) / len(z), rng=rng)
                self.label[label * each : (label + 1) * each] = label

    def _keep(self, rows: Tensor, *, at: int, count: int, share: float, rng: torch.Generator) -> None:
        found = fit_mixture(rows, num_components=count, rng=rng)
        end = at + len(found.weights)
        self.weights[at:end] = (share * found.weights).to(self.weights)
        self.means[at:end] = found.means.to(self.means)
        self.covariances[at:end] = found.covariances.to(self.covariances)

    def draw(
        self, cond: Float[Tensor, "n k"] | None, /, *, n: int, temperature: float, rng: torch.Generator | None
    ) -> Float[Tensor, "n z"]:
        """`n` latents; deviations from a component's mean are multiplied by `temperature`."""
        noise = temperature * normal((n, self.d_latent), rng=rng, device=self.weights.device)
        if not self.fitted:
            return noise
        parts = self._components(cond, n)
        which = choose(parts.log_weights, rng=rng)
        mean = parts.means[torch.arange(n, device=which.device), which]
        z = mean + torch.einsum("nij,nj->ni", parts.factors[which], noise.double())
        return z.float()

    def log_prob(self, z: Float[Tensor, "n z"], cond: Float[Tensor, "n k"] | None, /) -> Float[Tensor, " n"]:
        """Log-density of each latent, in nats."""
        if not self.fitted:
            return -0.5 * (z.double().square() + math.log(2.0 * math.pi)).sum(1)
        parts = self._components(cond, len(z))
        each = []
        for place, factor in enumerate(parts.factors):
            zero = factor.new_zeros(1, self.d_latent)
            each.append(log_densities(z.double() - parts.means[:, place], zero, factor[None])[:, 0])
        return torch.logsumexp(parts.log_weights + torch.stack(each, dim=1), dim=1)

    def _components(self, cond: Tensor | None, n: int) -> _Components:
        """The mixture of z given each row's condition; of z alone where no row has one."""
        d = self.d_latent
        means, spread = self.means.double(), self.covariances.double()
        log_weights = self.weights.double().log().expand(n, -1)
        told = None if cond is None else ~cond.isnan().any(1)
        if cond is None or told is None or not bool(told.any()):
            factors = torch.linalg.cholesky(spread[:, :d, :d])
            return _Components(log_weights, means[:, :d].expand(n, -1, -1), factors)
        given = torch.where(told[:, None], cond, 0.0).double()
        if bool((self.label >= 0).any()):
            wrong = told[:, None] & (self.label != given.argmax(1, keepdim=True))
            kept = log_weights.masked_fill(wrong, -torch.inf)
            # A class without a training row has no component of its own: the latents of all stand in.
            log_weights = torch.where((kept == -torch.inf).all(1, keepdim=True), log_weights, kept)
            log_weights = log_weights - torch.logsumexp(log_weights, dim=1, keepdim=True)
            return _Components(log_weights, means[:, :d].expand(n, -1, -1), torch.linalg.cholesky(spread[:, :d, :d]))
        # Source of the conditional Gaussian: Bishop 2006, equations 2.81 and 2.82.
        slope = torch.linalg.solve(spread[:, d:, d:], spread[:, d:, :d]).transpose(1, 2)
        moved = torch.einsum("mzk,nmk->nmz", slope, given[:, None] - means[:, d:])
        inner = torch.linalg.cholesky(spread[:, d:, d:])
        weighted = log_weights + log_densities(given, means[:, d:], inner)
        log_weights = torch.where(told[:, None], weighted.log_softmax(1), log_weights)
        left = spread[:, :d, :d] - slope @ spread[:, d:, :d]
        moved = torch.where(told[:, None, None], moved, 0.0)
        return _Components(log_weights, means[:, :d] + moved, torch.linalg.cholesky(left))


def _is_one_hot(cond: Tensor) -> bool:
    return bool(((cond == 0) | (cond == 1)).all()) and bool((cond.sum(1) == 1).all()) and cond.shape[1] > 1


def divergence_from_normal(mean: Float[Tensor, "b z"], log_sigma: Float[Tensor, "b z"]) -> Float[Tensor, "b z"]:
    """KL(N(mean, sigma^2) || N(0, I)) of each entry, in nats. Source: arXiv:1312.6114, appendix B."""
    return 0.5 * (mean.square() + (2 * log_sigma).exp() - 1.0) - log_sigma


def log_posterior(noise: Float[Tensor, "b z"], log_sigma: Float[Tensor, "b z"]) -> Float[Tensor, " b"]:
    """Log-density of mean + sigma x noise under N(mean, sigma^2), in nats."""
    return (-0.5 * (noise.square() + math.log(2 * math.pi)) - log_sigma).double().sum(1)


def fit_to_latents(family: Any, batches: Iterable[Tokens], /, *, rng: torch.Generator) -> None:
    """Fits a VAE's mixture over posterior draws of `mixture_rows` rows; nothing where its prior is normal."""
    latents: list[Tensor] = []
    conds: list[Tensor | None] = []
    held = 0
    for batch in batches:
        if family.config.prior == "normal" or held >= family.config.mixture_rows:
            break
        mean, log_sigma = family.posterior(batch)
        latents.append(mean + log_sigma.exp() * normal(mean.shape, rng=rng, device=mean.device))
        conds.append(batch.cond)
        held += len(mean)
    if latents:
        told = bool(family.shape.cond_size) and conds[0] is not None
        family.prior.fit(torch.cat(latents), torch.cat(cast("list[Tensor]", conds)) if told else None, rng=rng)


def one_of_likely(
    make: Callable[[], tuple[Int[Tensor, "n t"], Float[Tensor, " n"]]], /, *, count: int, rng: torch.Generator | None
) -> Int[Tensor, "n t"]:
    """Of `count` times that rows are made with their log-weights, one for each row, with a chance as its weight.

    Source: likelihood weighting, Fung and Chang 1989; exact in the limit of many times.
    """
    kept: Tensor | None = None
    total: Tensor | None = None
    for _ in range(count):
        ids, weight = make()
        kept = torch.zeros_like(ids) if kept is None else kept
        total = weight if total is None else torch.logaddexp(total, weight)
        take = uniform(weight.shape, rng=rng, device=weight.device) < (weight - total).exp()
        kept = torch.where(take[:, None], ids, kept)
    assert kept is not None, "at least once"
    return kept
