"""Settings and declaration of the prune stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from genwright.core import CapabilityError, Config, StageSpec, modality_component
from genwright.systems.costs.config import CostConfig


class PruneConfig(Config):
    """A `share` of the model is taken out; [adapt] behind this stage teaches it to do without.

    `what` is taken out: whole `layers`, a row of them that changes the hidden states least; inner `channels` of the
    feed-forward layers, in every layer the same number; or single `weights`, which become 0 (the model is not
    smaller in memory for that, and full adaptation leaves them 0). `samples` of the train split, the first
    `context_tokens` of each, say what matters.
    """

    what: Literal["layers", "channels", "weights"] = "layers"
    share: float = Field(default=0.2, gt=0.0, lt=1.0)
    samples: int = Field(default=32, ge=1, le=100_000)
    context_tokens: int = Field(default=256, ge=2, le=1 << 20)
    costs: CostConfig = CostConfig()


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the model is one of texts.

    Raises:
        CapabilityError: it is not.
    """
    del configs
    if not modality_component(modality).of_texts:
        raise CapabilityError(f"[prune] is for language models, and this project's modality is '{modality}'")


STAGE = StageSpec(
    name="prune",
    order=33,
    version="1",
    config=PruneConfig,
    run="genwright.stages.prune.run:run",
    inputs=("dataset", "codec", "model"),
    outputs={"model": "model", "prune_scores": "scores"},
    libraries=("torch", "safetensors", "numpy", "tokenizers"),
    check="genwright.stages.prune.config:check",
    device_bound=True,
    extra="train",
)
