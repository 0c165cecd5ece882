"""A net as an estimate of the data behind noise, and the losses that train it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.families.diffusion_config import DiffusionConfig

# Source: arXiv:2206.00364, table 1.
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2, 1.2


class Denoiser(nn.Module):
    """x0 from x = x0 + sigma x noise. The net is `net(x, time, cond)`, of one size in and out."""

    def __init__(self, net: nn.Module, config: DiffusionConfig) -> None:
        super().__init__()
        assert config.sigma_data, "resolve() first"
        self.net, self.objective, self.sigma_data = net, config.objective, config.sigma_data

    def forward(
        self, x: Float[Tensor, "b ..."], sigma: Float[Tensor, " b"], cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b ..."]:
        """The estimate.

        A flow's point between data and noise at time t is x (1 - t) with t = sigma / (1 + sigma), and its velocity v
        is noise - x0: so x0 is that point minus t v. Source: arXiv:2403.03206, equations 2 and 13.
        """
        if self.objective == "edm":
            return self._preconditioned(x, sigma, cond)
        time = sigma / (1.0 + sigma)
        wide = _wide(time, x)
        point = x * (1.0 - wide)
        out: Tensor = point - wide * self.net(point, time, cond)
        return out

    def _preconditioned(self, x: Tensor, sigma: Tensor, cond: Tensor | None) -> Tensor:
        """Source: arXiv:2206.00364, equation 7 and table 1."""
        wide, data = _wide(sigma, x), self.sigma_data
        total = wide**2 + data**2
        inner = self.net(x * total.rsqrt(), sigma.log() / 4.0, cond)
        out: Tensor = x * data**2 / total + inner * wide * data * total.rsqrt()
        return out

    def loss(self, x: Float[Tensor, "b ..."], cond: Float[Tensor, "b k"] | None) -> Float[Tensor, " b"]:
        """The mean weighted squared error of each sample at a random level; about 1 for a net that knows nothing.

        Levels: log-normal for `edm` (arXiv:2206.00364, table 1), logit-normal for `flow` (arXiv:2403.03206, section
        3.1). They are spread evenly over the batch, which makes the loss less noisy.
        """
        count = len(x)
        share = (torch.randperm(count, device=x.device) + torch.rand(count, device=x.device)) / count
        point = torch.special.ndtri(share.clamp(1e-6, 1.0 - 1e-6))
        noise = torch.randn_like(x)
        if self.objective == "flow":
            time = torch.sigmoid(point)
            wide = _wide(time, x)
            velocity = self.net((1.0 - wide) * x + wide * noise, time, cond)
            flow: Tensor = (velocity - (noise - x)).square().flatten(1).mean(1)
            return flow
        sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * point).exp()
        error: Tensor = (self(x + _wide(sigma, x) * noise, sigma, cond) - x).square().flatten(1).mean(1)
        weighted: Tensor = error * (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2
        return weighted


def _wide(value: Tensor, x: Tensor) -> Tensor:
    return value.view(-1, *([1] * (x.ndim - 1)))
