"""An adversarial pair over vectors and images: a generator learns what a critic cannot tell from data.

Source: R3GAN, arXiv:2501.05441: a relativistic pairing loss (section 2.1) with zero-centred gradient penalties on real
and on made samples (section 2.2).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Clock, Grid, GridShape, Vector, VectorShape
from genwright.families.gan_config import GanConfig
from genwright.families.gan_nets import GridCritic, GridGenerator, VectorCritic, VectorGenerator
from genwright.families.requests import asked, normal
from genwright.families.vector_layout import VectorLayout

Dense = Grid | Vector


class Gan(nn.Module):
    """Two parts, stepped in turn: the critic, then the generator. There is no likelihood and no completion."""

    needs_float32 = True
    signs: ClassVar[Mapping[str, tuple[str, str]]] = {
        "spread": ("generator_spread", "of the deviation of real samples"),
        "margin": ("critic_margin", "1"),
    }

    def __init__(self, config: GanConfig, *, shape: GridShape | VectorShape) -> None:
        super().__init__()
        assert config.width and config.d_latent, "resolve() first"
        self.config, self.shape = config, shape
        sizes = {"width": config.width, "num_layers": config.num_layers}
        self.generator: GridGenerator | VectorGenerator
        self.critic: GridCritic | VectorCritic
        self.layout: VectorLayout | None = None
        if isinstance(shape, GridShape):
            self.generator = GridGenerator(shape, d_latent=config.d_latent, **sizes)
            self.critic = GridCritic(shape, **sizes)
        else:
            self.generator = VectorGenerator(shape, d_latent=config.d_latent, **sizes)
            self.critic = VectorCritic(shape, **sizes)
            self.layout = VectorLayout(shape)

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """The critic and the generator."""
        return {"critic": list(self.critic.parameters()), "generator": list(self.generator.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW without momentum and without decay. Source: arXiv:2501.05441, section 4."""
        own = {"kind": "adamw", "beta1": 0.0, "beta2": 0.99, "weight_decay": 0.0, "clip_norm": 10.0}
        return {"critic": own, "generator": own}

    def losses(self, batch: Dense, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """The critic's loss with its penalties, then the generator's.

        Logged besides: the mean margin by which the critic prefers real samples (near 0 where it cannot tell), and the
        spread of made samples relative to real ones (near 0 where the generator has collapsed).
        """
        real = batch.values.detach().requires_grad_()
        made = self._make(self._noise(len(batch)), batch.cond).detach().requires_grad_()
        on_real, on_made = self.critic(real, batch.cond), self.critic(made, batch.cond)
        margin = on_real - on_made
        pairing = functional.softplus(-margin).mean()
        penalty = _squared_slope(on_real, real) + _squared_slope(on_made, made)
        config = self.config
        gamma = config.gamma + clock.fraction * (config.gamma_final - config.gamma)
        spread = made.detach().flatten(1).std(0).mean() / real.detach().flatten(1).std(0).mean().clamp_min(1e-6)
        logs = {
            "critic": pairing.detach(),
            "margin": margin.detach().mean(),
            "penalty": penalty.detach(),
            "spread": spread,
        }
        yield "critic", pairing + 0.5 * gamma * penalty, logs
        made = self._make(self._noise(len(batch)), batch.cond)
        margin = self.critic(made, batch.cond) - self.critic(batch.values, batch.cond)
        loss = functional.softplus(-margin).mean()
        yield "generator", loss, {"generator": loss.detach()}

    def _noise(self, count: int) -> Tensor:
        assert self.config.d_latent
        return torch.randn(count, self.config.d_latent, device=next(self.parameters()).device)

    def _make(self, z: Float[Tensor, "b z"], cond: Float[Tensor, "b k"] | None) -> Tensor:
        """Samples that gradients pass through; categories are soft draws. Source: arXiv:1611.01144, equation 2."""
        out: Tensor = self.generator(z, cond)
        if self.layout is None or not len(self.layout.entries):
            return out
        logits = out[:, self.layout.entries]
        gumbel = -torch.empty_like(logits).exponential_().clamp_min(1e-20).log()
        soft = self.layout.log_softmax((logits + gumbel) / self.config.gumbel).exp()
        return out.index_copy(1, self.layout.entries, soft)

    def log_prob(self, batch: Dense) -> Bound:
        """None: the family has no likelihood."""
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
        """`n` samples in one step; `temperature` scales the noise and the logits of categories.

        Raises:
            CapabilityError: `given`, guidance, or arguments that do not fit.
        """
        if given is not None:
            raise CapabilityError(
                "family 'gan' completes nothing: it has no way from data back to noise", hint="use vae or diffusion"
            )
        device = next(self.parameters()).device
        told = asked(self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device)
        assert self.config.d_latent
        z = temperature * normal((n, self.config.d_latent), rng=rng, device=device)
        out: Tensor = self.generator(z, told)
        if self.layout is None:
            return Grid(out, told)
        drawn = self.layout.draw(out[:, self.layout.entries], temperature=temperature, rng=rng)
        return Vector(out.index_copy(1, self.layout.entries, drawn), told)


def _squared_slope(scores: Float[Tensor, " b"], x: Float[Tensor, "b ..."]) -> Float[Tensor, ""]:
    """The mean squared length of the gradient. Source: arXiv:1801.04406, equation 9."""
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    out: Tensor = slope.square().flatten(1).sum(1).mean()
    return out
