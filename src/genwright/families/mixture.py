"""Gaussian mixtures with full covariances, fitted by expectation maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.families.requests import uniform

ITERATIONS = 40
ROWS_PER_COMPONENT = 3


@dataclass(frozen=True)
class Mixture:
    """Weights, means and covariances, in float64."""

    weights: Float[Tensor, " m"]
    means: Float[Tensor, "m d"]
    covariances: Float[Tensor, "m d d"]


def fit_mixture(
    rows: Float[Tensor, "n d"], /, *, num_components: int, rng: torch.Generator, ridge: float = 1e-3
) -> Mixture:
    """The mixture after 40 rounds from spread-out starting rows; at least three rows stand behind each component.

    `ridge`, times the mean variance, is added to every variance. Source: Dempster et al. 1977; starts as in k-means++
    (Arthur and Vassilvitskii 2007, section 2.2).
    """
    x = rows.double()
    count = max(1, min(num_components, len(x) // ROWS_PER_COMPONENT))
    floor = ridge * float(x.var(0, correction=0).mean().clamp_min(1e-9))
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    means = _starts(x, count, rng)
    nearest = torch.cdist(x, means).argmin(1)
    shares = torch.nn.functional.one_hot(nearest, count).to(x.dtype)
    mixture = _maximise(x, shares, floor * eye)
    for _ in range(ITERATIONS if count > 1 else 0):
        joint = log_densities(x, mixture.means, torch.linalg.cholesky(mixture.covariances)) + mixture.weights.log()
        mixture = _maximise(x, joint.softmax(1), floor * eye)
    return mixture


def log_densities(
    x: Float[Tensor, "n d"], means: Float[Tensor, "m d"], factors: Float[Tensor, "m d d"]
) -> Float[Tensor, "n m"]:
    """Log-density of each row under each Gaussian, whose covariances are factor factor^T."""
    out = [_log_density(x - mean, factor) for mean, factor in zip(means, factors, strict=True)]
    return torch.stack(out, dim=1)


def _log_density(centred: Float[Tensor, "n d"], factor: Float[Tensor, "d d"]) -> Float[Tensor, " n"]:
    white = torch.linalg.solve_triangular(factor, centred.T, upper=False)
    constant = factor.diagonal().log().sum() + 0.5 * centred.shape[1] * math.log(2.0 * math.pi)
    out: Tensor = -0.5 * white.square().sum(0) - constant
    return out


def _starts(x: Tensor, count: int, rng: torch.Generator) -> Tensor:
    draws = uniform((count,), rng=rng, device=x.device).double()
    chosen = x[int(draws[0] * len(x))][None]
    nearest = torch.cdist(x, chosen).square().squeeze(1)
    for draw in draws[1:]:
        reach = nearest.cumsum(0)
        place = min(int(torch.searchsorted(reach, draw * reach[-1])), len(x) - 1)
        chosen = torch.cat((chosen, x[place][None]))
        nearest = torch.minimum(nearest, (x - x[place]).square().sum(1))
    return chosen


def _maximise(x: Tensor, shares: Tensor, ridge: Tensor) -> Mixture:
    mass = shares.sum(0).clamp_min(1e-9)
    means = (shares.T @ x) / mass[:, None]
    covariances = []
    for place, mean in enumerate(means):
        centred = x - mean
        covariances.append((centred * shares[:, place, None]).T @ centred / mass[place] + ridge)
    return Mixture(mass / mass.sum(), means, torch.stack(covariances))
