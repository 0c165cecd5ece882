"""Style transfer by optimisation: the pixels are what is learnt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.colours import with_colours_of
from genwright.modalities.image.style.trunk import CONTENT_LAYER, STYLE_LAYERS, Trunk, gram, to_tensor

CONTENT, SMOOTH = 0.1, 1.0  # weights of content and of total variation; assumptions, not tuned
START_NOISE = 0.02  # flat areas have no gradient that breaks their symmetry
MARGIN = 0.01  # how far from black and white pixels start: there the sigmoid is flat


class GatysStyle:
    """Minimises 0.1 L_content + strength (L_style + TV) over pixels, from the content in the style's colours.

    L_content = |F - P|^2 / |P|^2 at layer 4_2; L_style is the mean over layers 1_1 to 5_1 of |G - A|^2 / |A|^2; TV is
    the mean squared difference of neighbours. Pixels are sigmoids, so that they stay between black and white.

    Source: Gatys et al. 2016 (CVPR), equations 1 to 7. Each term is over the size of its target, which makes strength
    mean the same for all pictures; the paper's terms are over the number of entries.
    """

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk

    def stylise(
        self, content: Levels, style: Levels, /, *, strength: float = 1.0, steps: int = 100, seed: int = 0
    ) -> Levels:
        """The content, of its size, in the style; the trunk is asked about `steps` times."""
        with torch.no_grad():
            wanted = self._trunk(to_tensor(content))[CONTENT_LAYER]
        targets = self._trunk.grams(style)
        pixels = _start(content, style, strength, seed).requires_grad_()
        optimiser = torch.optim.LBFGS(
            [pixels],
            max_iter=steps,
            max_eval=steps,
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_change=0.0,
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            x = pixels.sigmoid()
            maps = self._trunk(x)
            parts = [_relative(gram(maps[name]), a) for name, a in zip(STYLE_LAYERS, targets, strict=True)]
            loss = CONTENT * _relative(maps[CONTENT_LAYER], wanted) + strength * torch.stack(parts).mean()
            loss = loss + strength * SMOOTH * _variation(x)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        out: Levels = (pixels.detach()[0].sigmoid() * 255.0).round().byte().numpy()
        return out


def _start(content: Levels, style: Levels, strength: float, seed: int) -> Float[Tensor, "1 3 h w"]:
    """Pixels before the sigmoid: the content, by `strength` in the style's colours, with a little noise."""
    plain, coloured = to_tensor(content), to_tensor(with_colours_of(content, style))
    noise = torch.randn(plain.shape, generator=torch.Generator().manual_seed(seed))
    start = torch.lerp(plain, coloured, strength) + START_NOISE * noise
    return start.clamp(MARGIN, 1.0 - MARGIN).logit()


def _relative(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square().sum() / wanted.square().sum().clamp_min(1e-12)


def _variation(x: Float[Tensor, "1 3 h w"]) -> Tensor:
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
