"""What a decoder's output says about the data: shared Gaussian noise of the best size, and categories.

Source of the noise: sigma-VAE, arXiv:2006.13202, equation 5: the maximum-likelihood variance is the mean squared error.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import GridShape, VectorShape
from genwright.families.requests import normal
from genwright.families.vector_layout import VectorLayout

HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
MIN_NUMBER_SIGMA = 0.01
# The share by which a training step moves the noise that is kept for sampling and likelihoods.
STEP_SHARE = 0.05


class _Observation(nn.Module):
    """Keeps the standard deviations; a training step moves them towards those of its batch."""

    log_sigma: Tensor

    def __init__(self, count: int, *, smallest: float) -> None:
        super().__init__()
        self.smallest = smallest
        self.register_buffer("log_sigma", torch.zeros(count))

    def best(self, squares: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """The log of the best standard deviation for mean squared errors, without a gradient."""
        found = 0.5 * squares.detach().clamp_min(self.smallest**2).log()
        if self.training:
            self.log_sigma.lerp_(found.to(self.log_sigma.dtype), STEP_SHARE)
        return found

    @torch.no_grad()
    def settle(self, squares: Float[Tensor, " m"]) -> None:
        """Takes the standard deviations that belong to those mean squared errors of the whole train split."""
        self.log_sigma.copy_(0.5 * squares.clamp_min(self.smallest**2).log())


class GridObservation(_Observation):
    """One Gaussian width for all entries of an image.

    Likelihoods are of the discrete levels, the mass of a Gaussian between the borders half a level away, open at both
    ends (arXiv:2006.11239, equation 13), so that nats compare with those of models over the levels themselves.
    """

    def __init__(self, shape: GridShape) -> None:
        super().__init__(1, smallest=1.0 / (shape.levels - 1))
        self.half_level = self.smallest
        self.noisy = False
        self.d_out = shape.size

    def errors(self, out: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b m"]:
        """Squared errors of each sample, averaged over what shares a width."""
        return (out - x).square().flatten(1).mean(1, keepdim=True)

    def loss(self, out: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Nats of each sample at the batch's best width; the density is turned into mass by the width of a level."""
        errors = self.errors(out, x)[:, 0]
        log_sigma = self.best(errors.mean()[None])[0]
        mass = -math.log(2.0 * self.half_level)
        return self.d_out * (0.5 * errors * (-2.0 * log_sigma).exp() + log_sigma + HALF_LOG_TAU + mass)

    def log_prob(self, out: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Log-mass of the levels nearest to `x`, in nats."""
        scale = (-self.log_sigma.double()).exp()
        centre = (x - out).double()
        above = torch.special.log_ndtr((centre + self.half_level) * scale)
        below = torch.special.log_ndtr((centre - self.half_level) * scale)
        tail = torch.special.log_ndtr(-(centre - self.half_level) * scale)
        # On the right of the mean both tails are near 1, so there the mirrored ones are subtracted.
        mirrored = torch.special.log_ndtr(-(centre + self.half_level) * scale)
        right = centre > 0
        high, low = torch.where(right, tail, above), torch.where(right, mirrored, below)
        inner = high + torch.log1p(-(low - high).exp().clamp_max(1.0 - 1e-12))
        mass = torch.where(x >= 1.0 - self.half_level, tail, torch.where(x <= self.half_level - 1.0, above, inner))
        return mass.flatten(1).sum(1)

    def draw(
        self, out: Float[Tensor, "b c h w"], *, temperature: float, rng: torch.Generator | None
    ) -> Float[Tensor, "b c h w"]:
        """The image: the mean, plus noise where `noisy` says so."""
        if not self.noisy:
            return out.clamp(-1.0, 1.0)
        noise = normal(out.shape, rng=rng, device=out.device)
        return (out + temperature * self.log_sigma.exp() * noise).clamp(-1.0, 1.0)


class VectorObservation(_Observation):
    """A Gaussian width per number, and a softmax per category. Likelihoods are densities of the standardised numbers
    times the mass of the categories."""

    def __init__(self, shape: VectorShape) -> None:
        super().__init__(sum(column.kind == "number" for column in shape.columns), smallest=MIN_NUMBER_SIGMA)
        self.layout = VectorLayout(shape)
        self.noisy = True
        self.d_out = shape.size

    def errors(self, out: Float[Tensor, "b d"], x: Float[Tensor, "b d"]) -> Float[Tensor, "b m"]:
        """Squared errors of each number."""
        return (out - x)[:, self.layout.numbers].square()

    def loss(self, out: Float[Tensor, "b d"], x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Nats of each sample at the batch's best widths."""
        errors = self.errors(out, x)
        return self._nats(out, x, errors, self.best(errors.mean(0)))

    def log_prob(self, out: Float[Tensor, "b d"], x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Log of density times mass, in nats."""
        return -self._nats(out, x, self.errors(out, x), self.log_sigma)

    def _nats(self, out: Tensor, x: Tensor, errors: Tensor, log_sigma: Tensor) -> Tensor:
        numbers = 0.5 * errors * (-2.0 * log_sigma).exp() + log_sigma + HALF_LOG_TAU
        entries = self.layout.entries
        categories = self.layout.log_softmax(out[:, entries]) * x[:, entries]
        return numbers.sum(1) - categories.sum(1)

    def draw(
        self, out: Float[Tensor, "b d"], *, temperature: float, rng: torch.Generator | None
    ) -> Float[Tensor, "b d"]:
        """A draw of each column, or the likeliest where it is not `noisy`."""
        scale = temperature if self.noisy else 0.0
        values = out.clone()
        mean = out[:, self.layout.numbers]
        noise = normal(mean.shape, rng=rng, device=out.device) if scale else torch.zeros_like(mean)
        values[:, self.layout.numbers] = mean + scale * self.log_sigma.exp() * noise
        values[:, self.layout.entries] = self.layout.draw(out[:, self.layout.entries], temperature=scale, rng=rng)
        return values
