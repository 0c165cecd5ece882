"""Style transfer by optimisation: the pixels are what is learnt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.trunk import CONTENT_LAYER, STYLE_LAYERS, Trunk, gram, to_tensor

SMOOTH = 0.1  # weight of the total variation; assumption, not tuned
START_NOISE = 0.02  # flat areas have no gradient that breaks their symmetry


class GatysStyle:
    """Minimises (1 - strength) L_content + strength L_style + 0.1 TV over pixels, by L-BFGS from the content.

    L_content = |F - P|^2 / |P|^2 at layer 4_2; L_style is the mean over layers 1_1 to 5_1 of |G - A|^2 / |A|^2; TV is
    the mean squared difference of neighbours.

    Source: Gatys et al. 2016 (CVPR), equations 1 to 7. Each term is over the size of its target, which makes strength
    mean the same for all pictures; the paper's terms are over the number of entries.
    """

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk

    def stylise(
        self, content: Levels, style: Levels, /, *, strength: float = 1.0, steps: int = 100, seed: int = 0
    ) -> Levels:
        """The content, of its size, in the style; the nets are asked `steps` times."""
        start = to_tensor(content)
        with torch.no_grad():
            wanted = self._trunk(start)[CONTENT_LAYER]
        targets = self._trunk.grams(style)
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed))
        x = (start + START_NOISE * noise).requires_grad_()
        optimiser = torch.optim.LBFGS(
            [x], max_iter=steps, max_eval=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_change=0.0
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            maps = self._trunk(x)
            loss = (1.0 - strength) * _relative(maps[CONTENT_LAYER], wanted) + SMOOTH * _variation(x)
            parts = [_relative(gram(maps[name]), a) for name, a in zip(STYLE_LAYERS, targets, strict=True)]
            loss = loss + strength * torch.stack(parts).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        out: Levels = (x.detach()[0].clamp(0.0, 1.0) * 255.0).round().byte().numpy()
        return out


def _relative(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square().sum() / wanted.square().sum().clamp_min(1e-12)


def _variation(x: Float[Tensor, "1 3 h w"]) -> Tensor:
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
