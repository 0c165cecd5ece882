"""Declaration of the train stage."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from genwright.core import Config, StageSpec, component, component_field, modality_component, trained_on
from genwright.nets import Size
from genwright.trainer import TrainerConfig

_Family: Any = component_field("families")


class TrainConfig(Config):
    """What is trained: a family at a size. `compute_flops` replaces the size by the deepest net it trains well.

    Without a budget in `trainer`, a compute budget also sets the tokens: 20 for each parameter.
    """

    family: _Family = Field(default="autoregressive", validate_default=True)
    size: Size = "small"
    compute_flops: float | None = Field(default=None, gt=0.0)
    context_tokens: int | None = Field(default=None, ge=8, le=1 << 20)
    trainer: TrainerConfig = TrainerConfig()


def settle(section: Mapping[str, Any], table: Mapping[str, Any], modality: str) -> Mapping[str, Any]:
    """The section with the family that does the asked one's work on what the codec makes (a GAN over latents)."""
    trained_on(modality, stage="train")
    family = section.get("family", "autoregressive")
    own = {"kind": family} if isinstance(family, str) else dict(family)
    entry = component("families", str(own.get("kind")))
    codec = table.get("fit", {}).get("codec", "auto")
    kind = codec if isinstance(codec, str) else str(codec.get("kind", "auto"))
    chosen = modality_component(modality).codec_of(entry) if kind == "auto" else kind
    made = component("codecs", chosen).accepts if chosen else ()
    if set(made) & set(entry.accepts):
        return section
    found = next((entry.instead[one] for one in made if one in entry.instead), None)
    return section if found is None else {**section, "family": {**found, "prior": own}}


STAGE = StageSpec(
    name="train",
    order=30,
    version="6",
    config=TrainConfig,
    run="genwright.stages.train.run:run",
    inputs=("dataset", "codec"),
    outputs={"model": "model", "training_log": "scores"},
    libraries=("torch", "safetensors", "numpy", "tokenizers"),
    settle="genwright.stages.train.config:settle",
    check="genwright.stages.train.shape:check",
    summary="genwright.stages.train.shape:summary",
    device_bound=True,
    distributed=True,
    saves_on_stop=True,
    extra="train",
)
