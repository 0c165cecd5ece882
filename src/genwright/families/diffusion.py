"""Diffusion over vectors and images: learn to remove Gaussian noise of any size, sample by removing it step by step."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core import CapabilityError, component
from genwright.core.protocols import Bound, Clock, Grid, GridShape, Shape, TokenShape, Vector, VectorShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.diffusion_denoiser import Denoiser
from genwright.families.diffusion_samplers import (
    STEPS,
    Known,
    Model,
    Noise,
    descend,
    euler,
    ladder,
    shift_block_means,
    with_block_means,
)
from genwright.families.masked_cells import MaskedCells
from genwright.families.masked_diffusion import MaskedDiffusion
from genwright.families.requests import asked, check_given, check_guidance, condition_for, normal
from genwright.families.unmasking_trees import UnmaskingTrees
from genwright.families.vector_layout import VectorLayout
from genwright.nets.backbones import MlpConfig

Dense = Grid | Vector
ROUNDS_WITHIN_RANGE = 20


def diffusion(config: DiffusionConfig, *, shape: Shape) -> nn.Module | UnmaskingTrees:
    """The diffusion family for that representation: of Gaussian noise, or of masks over tokens or cells."""
    if not isinstance(shape, TokenShape):
        return Diffusion(config, shape=shape)
    if config.trees:
        return UnmaskingTrees(config, shape=shape)
    whole = isinstance(config.net, MlpConfig)
    return MaskedCells(config, shape=shape) if whole else MaskedDiffusion(config, shape=shape)


class Diffusion(nn.Module):
    """Gaussian diffusion. Categories are one-hot entries like any others, and the largest one is taken in the end.

    There is no likelihood: the weighted losses that give good samples are no bound on one.
    """

    needs_float32 = True

    def __init__(self, config: DiffusionConfig, *, shape: GridShape | VectorShape) -> None:
        super().__init__()
        assert config.net and config.steps, "resolve() first"
        self.config, self.shape = config, shape
        net: nn.Module = component("nets", config.net.kind).load()(config.net, shape=shape)
        self.denoiser = Denoiser(net, config)
        self.layout = VectorLayout(shape) if isinstance(shape, VectorShape) else None
        size = (shape.size,) if isinstance(shape, VectorShape) else (shape.channels, shape.height, shape.width)
        self.entries = size

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW with little decay."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.01}}

    def losses(self, batch: Dense, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The mean weighted squared error."""
        del clock
        loss = self.denoiser.loss(batch.values, batch.cond).mean()
        yield "net", loss, {"loss": loss.detach()}

    def log_prob(self, batch: Dense) -> Bound:
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
    ) -> Dense:
        """`n` samples, or completions of `given`; `temperature` scales the noise at the start.

        Raises:
            CapabilityError: arguments that do not fit.
        """
        device = next(self.parameters()).device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        known = None
        if given is not None:
            found = check_given(given, entries=self.entries, n=n)
            values = cast("Dense", found.batch).values.to(device)
            known = Known(values, found.known.to(device))
        noise = self._noise(n, rng, device)
        model = self._model(told, guidance)
        values = self._descend(model, temperature * self.config.sigma_max * noise(), noise, steps, known)
        return self._finished(values, told, known)

    @torch.no_grad()
    def denoise(self, batch: Dense, *, noise_level: float, steps: int = 1) -> Dense:
        """The data behind noise of that standard deviation (entries are in [-1, 1], or standardised numbers).

        One step gives the expected value, which has the least squared error; more steps give a sharper sample.

        Raises:
            CapabilityError: the noise level or the steps are out of range.
        """
        if not 0.0 < noise_level <= self.config.sigma_max or steps < 1:
            raise CapabilityError(
                f"cannot remove noise of {noise_level} in {steps} steps",
                hint=f"a level above 0 and up to {self.config.sigma_max}, at least one step",
            )
        told = condition_for(batch.cond, shape=self.shape, count=len(batch), device=batch.values.device)
        sigmas = ladder(steps, sigma_max=noise_level)
        noise = self._noise(len(batch), None, batch.values.device)
        values = descend(self._model(told, 1.0), batch.values, sigmas, step=euler, noise=noise)
        return self._finished(values, told, None)

    @torch.no_grad()
    def super_resolve(
        self,
        low: Grid,
        *,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        rng: torch.Generator | None = None,
    ) -> Grid:
        """Images whose block means are the smaller images `low`.

        Raises:
            CapabilityError: the model makes no images, or `low` is no whole fraction of their size.
        """
        shape, (count, channels, down, across) = self.shape, low.values.shape
        factor = shape.width // max(across, 1) if isinstance(shape, GridShape) else 0
        if not factor or (channels, down * factor, across * factor) != self.entries:
            raise CapabilityError(
                f"images of {tuple(low.values.shape[1:])} cannot become {self.entries}",
                hint="each side must be the same whole fraction",
            )
        check_guidance(guidance, cond=cond, able=True, family=self.config.kind)
        device = next(self.parameters()).device
        told = condition_for(cond, shape=shape, count=count, device=device)
        noise = self._noise(count, rng, device)
        model = with_block_means(self._model(told, guidance), low.values.to(device))
        values = self._descend(model, self.config.sigma_max * noise(), noise, steps, None)
        return Grid(_within_range(values, low.values.to(device)), told)

    def _descend(self, model: Model, x: Tensor, noise: Noise, steps: int | None, known: Known | None) -> Tensor:
        sigmas = ladder(steps or cast("int", self.config.steps), sigma_max=self.config.sigma_max)
        return descend(model, x, sigmas, step=STEPS[self.config.sampler], noise=noise, known=known)

    def _noise(self, n: int, rng: torch.Generator | None, device: torch.device) -> Noise:
        return lambda: normal((n, *self.entries), rng=rng, device=device)

    def _model(self, cond: Float[Tensor, "b k"] | None, guidance: float) -> Model:
        """The estimate under the condition; guided, it moves away from that without (arXiv:2207.12598, equation 6).

        Above `guided_below` it is not guided. Source: arXiv:2404.07724.
        """
        highest = self.config.guided_below or math.inf

        def plain(x: Tensor, sigma: float) -> Tensor:
            out: Tensor = self.denoiser(x, x.new_full((len(x),), sigma), cond)
            return out

        def guided(x: Tensor, sigma: float) -> Tensor:
            if sigma > highest:
                return plain(x, sigma)
            assert cond is not None
            both = torch.cat((cond, torch.full_like(cond, torch.nan)))
            out = self.denoiser(x.repeat(2, *([1] * (x.ndim - 1))), x.new_full((2 * len(x),), sigma), both)
            told, untold = out.chunk(2)
            return torch.lerp(untold, told, guidance)

        return plain if guidance == 1.0 else guided

    def _finished(self, values: Tensor, cond: Tensor | None, known: Known | None) -> Dense:
        if self.layout is None:
            values = values.clamp(-1.0, 1.0)
            return Grid(values if known is None else torch.where(known.mask, known.values, values), cond)
        values = values.clone()
        values[:, self.layout.entries] = self.layout.one_hot(values[:, self.layout.entries])
        return Vector(values if known is None else torch.where(known.mask, known.values, values), cond)


def _within_range(values: Tensor, low: Tensor) -> Tensor:
    """Images within [-1, 1] near those block means: the two constraints by turns."""
    for _ in range(ROUNDS_WITHIN_RANGE):
        values = shift_block_means(values.clamp(-1.0, 1.0), low)
    return values.clamp(-1.0, 1.0)
