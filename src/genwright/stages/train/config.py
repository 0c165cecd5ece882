"""Declaration of the train stage."""

from typing import Any

from pydantic import Field

from genwright.core import Config, StageSpec, component_field
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


STAGE = StageSpec(
    name="train",
    order=30,
    version="1",
    config=TrainConfig,
    run="genwright.stages.train.run:run",
    inputs=("dataset", "codec"),
    outputs={"model": "model", "training_log": "scores"},
    libraries=("torch", "safetensors", "numpy", "tokenizers"),
    check="genwright.stages.train.shape:check",
    summary="genwright.stages.train.shape:summary",
    device_bound=True,
    distributed=True,
    saves_on_stop=True,
    extra="train",
)
