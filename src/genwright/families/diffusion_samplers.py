"""Samplers as pure functions: from noise of a standard deviation sigma down a ladder of smaller ones to data.

A model takes (x, sigma), x = data + sigma x noise, and returns its estimate of the data, x0. Any training objective can
be written so; the samplers know none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Model = Callable[[Tensor, float], Tensor]
Noise = Callable[[], Tensor]
Step = Callable[[Model, Tensor, float, float, Noise], Tensor]
RHO = 7.0
SIGMA_MIN = 0.002


@dataclass(frozen=True)
class Known:
    """Entries that are given: where `mask` is true, `values`. Each level is repeated `repeats` times."""

    values: Float[Tensor, "b ..."]
    mask: Bool[Tensor, "b ..."]
    repeats: int = 8


def ladder(steps: int, /, *, sigma_max: float, sigma_min: float = SIGMA_MIN) -> list[float]:
    """`steps` levels from `sigma_max` to `sigma_min`, and 0. Source: arXiv:2206.00364, equation 5.

    >>> [round(sigma, 2) for sigma in ladder(3, sigma_max=80.0)]
    [80.0, 2.52, 0.0, 0.0]
    """
    if steps == 1:
        return [sigma_max, 0.0]
    top, bottom = sigma_max ** (1 / RHO), min(sigma_min, sigma_max) ** (1 / RHO)
    return [(top + place / (steps - 1) * (bottom - top)) ** RHO for place in range(steps)] + [0.0]


def euler(model: Model, x: Tensor, sigma: float, lower: float, noise: Noise) -> Tensor:
    """One first-order step, which is that of DDIM. Source: arXiv:2206.00364, algorithm 1 without its correction."""
    del noise
    return x + (lower - sigma) * (x - model(x, sigma)) / sigma


def heun(model: Model, x: Tensor, sigma: float, lower: float, noise: Noise) -> Tensor:
    """One second-order step. Source: arXiv:2206.00364, algorithm 1."""
    slope = (x - model(x, sigma)) / sigma
    ahead = euler_from(x, slope, sigma, lower)
    if lower == 0.0:
        return ahead
    return euler_from(x, 0.5 * (slope + (ahead - model(ahead, lower)) / lower), sigma, lower)


def euler_from(x: Tensor, slope: Tensor, sigma: float, lower: float) -> Tensor:
    """`x` moved along a slope from one level to the next."""
    return x + (lower - sigma) * slope


def ancestral(model: Model, x: Tensor, sigma: float, lower: float, noise: Noise) -> Tensor:
    """One step of the reverse Markov chain. Source: DDPM's posterior, arXiv:2006.11239, equation 7, at these levels."""
    share = (lower / sigma) ** 2
    mean = share * x + (1.0 - share) * model(x, sigma)
    return mean + lower * (1.0 - share) ** 0.5 * noise() if lower else mean


STEPS: dict[str, Step] = {"heun": heun, "euler": euler, "ancestral": ancestral}


def descend(
    model: Model,
    x: Float[Tensor, "b ..."],
    sigmas: list[float],
    *,
    step: Step,
    noise: Noise,
    known: Known | None = None,
) -> Float[Tensor, "b ..."]:
    """`x` after all levels. Known entries are put in at each level with its noise, and levels are repeated.

    Source of the repetition: RePaint, arXiv:2201.09865, algorithm 1.
    """
    for sigma, lower in pairwise(sigmas):
        for turn in range(known.repeats if known else 1):
            if turn:
                x = x + (sigma**2 - lower**2) ** 0.5 * noise()
            if known is not None:
                x = torch.where(known.mask, known.values + sigma * noise(), x)
            x = step(model, x, sigma, lower, noise)
    return x if known is None else torch.where(known.mask, known.values, x)


def with_block_means(model: Model, low: Float[Tensor, "b c i j"], /) -> Model:
    """The model whose estimates have the block means `low`: the nearest image that has them is taken.

    Source: projection on a linear constraint, arXiv:2212.00490, equation 13 without noise.
    """

    return lambda x, sigma: shift_block_means(model(x, sigma), low)


def shift_block_means(x: Float[Tensor, "b c h w"], low: Float[Tensor, "b c i j"], /) -> Float[Tensor, "b c h w"]:
    """The image nearest to `x` whose block means are `low`."""
    factor = x.shape[-1] // low.shape[-1]
    missing = low - torch.nn.functional.avg_pool2d(x, factor)
    return x + missing.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
