"""Settings and declaration of the adapt stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from genwright.core import CapabilityError, Config, StageSpec, modality_component
from genwright.core.digest import file_digest, json_digest
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.fingerprint import source_identity
from genwright.nets.lora_config import LoraConfig
from genwright.trainer import TrainerConfig

Method = Literal["lora", "dora", "qlora", "full"]


class GeneralConfig(Config):
    """Texts of another kind, on which the model is measured before and after: what it has forgotten.

    The first `max_documents` are read, each up to `max_characters`.
    """

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    max_documents: int = Field(default=32, ge=2, le=100_000)
    max_characters: int = Field(default=1500, ge=16)


class AdaptConfig(Config):
    """How a model is adapted to the train split.

    `method` says what moves: adapters (`lora`), adapters with a magnitude beside them (`dora`), adapters over a base in
    4 bits (`qlora`), or every weight (`full`). Of a chat its last message is learned, of a text everything. A sample
    longer than `context_tokens` (None: the model's context) is dropped, or cut with `too_long = "truncate"`. A
    budget can be `epochs` instead of what `trainer.budget` names. `checkpointing = "on"` makes activations again in the
    backward pass: less memory, a third more time.
    """

    method: Method = "lora"
    lora: LoraConfig = LoraConfig()
    context_tokens: int | None = Field(default=None, ge=8, le=1 << 20)
    too_long: Literal["drop", "truncate"] = "drop"
    epochs: float | None = Field(default=None, gt=0.0, le=10_000.0)
    checkpointing: Literal["on", "off"] = "off"
    general: GeneralConfig | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    trainer: TrainerConfig = TrainerConfig()

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.epochs is not None and not self.trainer.budget.is_open:
            raise ValueError("epochs and trainer.budget both say how long to train; keep one of them")
        if self.trainer.budget.tokens is not None:
            raise ValueError("a budget of this stage counts time, steps, samples or epochs, not tokens")
        if self.trainer.privacy is not None:
            raise ValueError("differential privacy is of [train]; this stage has none")
        return self


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the project has a model that can be adapted, and samples to adapt it to.

    Raises:
        CapabilityError: another modality, or another family.
    """
    entry = modality_component(modality)
    if modality != "text" and not entry.answers:
        raise CapabilityError(f"[adapt] is for language models, and this project's modality is '{modality}'")
    family = getattr(configs.get("train"), "family", None)
    if family is not None and (family.kind != "autoregressive" or family.net.kind != "transformer"):
        raise CapabilityError(
            "[adapt] moves a transformer of family 'autoregressive'", hint="train.family = 'autoregressive'"
        )


def fingerprint(config: AdaptConfig, root: Path) -> str | None:
    """A digest of what is read besides the inputs: general texts, and an adapter to start from. Downloads nothing."""
    found: list[object] = []
    if config.general is not None:
        found += [source_identity(source, root) for source in config.general.sources]
    if config.lora.start is not None:
        folder = root / config.lora.start
        found += [[path.name, file_digest(path)] for path in sorted(folder.glob("*")) if path.is_file()]
    return json_digest(found) if found else None


STAGE = StageSpec(
    name="adapt",
    order=35,
    version="1",
    config=AdaptConfig,
    run="genwright.stages.adapt.run:run",
    inputs=("dataset", "codec", "model"),
    outputs={
        "model": "model",
        "adapter": "adapter",
        "training_log": "scores",
        "adapt_samples": "scores",
        "general_scores": "scores",
    },
    libraries=("torch", "safetensors", "numpy", "tokenizers"),
    external="genwright.stages.adapt.config:fingerprint",
    check="genwright.stages.adapt.config:check",
    device_bound=True,
    distributed=True,
    saves_on_stop=True,
    extra="train",
)
