"""What two-stage families share: two families, each trained within its window of the budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core import SpecError, component
from genwright.core.protocols import Clock, Fitted, RowBatch, Shape
from genwright.families.config import FamilyConfig
from genwright.families.latent_config import LatentConfig, latent_shape

AUTOENCODER, PRIOR = "autoencoder", "prior"


class TwoStage(nn.Module, ABC):
    """The autoencoder is trained until `split` of the budget and then stands still; the prior from there on.

    Raises:
        SpecError: the prior is a family that needs more than steps.
    """

    needs_float32 = True

    def __init__(self, config: LatentConfig, *, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        self.inner = latent_shape(config.autoencoder, shape=shape)
        self.autoencoder: Any = component("families", config.autoencoder.kind).load()(config.autoencoder, shape=shape)
        prior = cast("FamilyConfig", config.prior)
        self.prior: Any = component("families", prior.kind).load()(prior, shape=self.inner)
        if isinstance(self.prior, Fitted) or hasattr(self.prior, "finish"):
            raise SpecError(
                f"family '{prior.kind}' is no prior: it looks at its data once more, and latents are drawn anew",
                hint="take one that learns by steps alone: diffusion, gan, autoregressive over codes",
            )

    @abstractmethod
    def latents(self, batch: RowBatch) -> RowBatch:
        """What the prior learns of a batch, with its condition; called without gradients."""

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """The parts of both families, each behind its family's name."""
        return {
            f"{name}/{part}": parameters
            for name, family in ((AUTOENCODER, self.autoencoder), (PRIOR, self.prior))
            for part, parameters in family.parts().items()
        }

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """What each family prefers."""
        rates = {AUTOENCODER: self.config.autoencoder, PRIOR: cast("FamilyConfig", self.config.prior)}
        families = {AUTOENCODER: self.autoencoder, PRIOR: self.prior}
        return {
            f"{name}/{part}": {"learning_rate": rates[name].learning_rate()} | dict(own)
            for name, family in families.items()
            for part, own in _preferred(family).items()
        }

    @property
    def signs(self) -> Mapping[str, tuple[str, str]]:
        """Those of both families."""
        return {**getattr(self.autoencoder, "signs", {}), **getattr(self.prior, "signs", {})}

    def window(self, part: str) -> tuple[float, float]:
        """The fractions of the budget between which a part is trained."""
        split = self.config.split
        return (0.0, split) if part.startswith(AUTOENCODER) else (split, 1.0)

    def losses(self, batch: RowBatch, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Those of the family whose turn it is, with a clock that runs over its window."""
        split = self.config.split
        if clock.fraction < split:
            name, family, data, local = AUTOENCODER, self.autoencoder, batch, clock.fraction / split
        else:
            name, family, local = PRIOR, self.prior, (clock.fraction - split) / (1.0 - split)
            self.autoencoder.eval()
            with torch.no_grad():
                data = self.latents(batch)
        for part, loss, logs in family.losses(data, Clock(clock.step, local)):
            yield f"{name}/{part}", loss, logs

    @torch.no_grad()
    def finish(self, batches: Iterable[RowBatch], *, rng: torch.Generator) -> None:
        """The observation noise of the autoencoder that is kept."""
        self.autoencoder.finish(batches, rng=rng)

    def embed(self, batch: RowBatch) -> Float[Tensor, "b z"]:
        """The autoencoder's."""
        return cast("Tensor", self.autoencoder.embed(batch))

    def decode_latent(self, z: Float[Tensor, "b z"], **asked: Any) -> RowBatch:
        """The autoencoder's."""
        return cast("RowBatch", self.autoencoder.decode_latent(z, **asked))

    def reconstruct(self, batch: RowBatch) -> RowBatch:
        """The autoencoder's."""
        return cast("RowBatch", self.autoencoder.reconstruct(batch))


def _preferred(family: Any) -> dict[str, Mapping[str, Any]]:
    """The optimiser settings of each part, empty where a family prefers none."""
    own = family.optimisers() if hasattr(family, "optimisers") else {}
    return {part: own.get(part, {}) for part in family.parts()}
