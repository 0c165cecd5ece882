"""Settings and declaration of the adapt stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from genwright.core import CapabilityError, Config, DataError, StageSpec, modality_component
from genwright.core.digest import file_digest, json_digest
from genwright.modalities.chat.verifier_config import ExactConfig, VerifierConfig, named
from genwright.modalities.files.fence import inside
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


class RehearsalConfig(Config):
    """Texts of another kind that are read again beside the answers, so that the model keeps what it was.

    For each sample of a batch there is `share` of a stretch of at most `stretch_tokens` tokens. `towards = "base"`
    holds the model to what it said of them before, "text" lets it learn them. Texts that `general` measures are left
    out.
    """

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    share: float = Field(default=0.25, gt=0.0, le=16.0)
    stretch_tokens: int = Field(default=128, ge=8, le=1 << 20)
    weight: float = Field(default=1.0, gt=0.0)
    towards: Literal["base", "text"] = "base"
    max_documents: int = Field(default=1000, ge=1, le=1_000_000)


class SftConfig(Config):
    """The answers of the train split are learned."""

    kind: Literal["sft"] = "sft"


class PairsConfig(Config):
    """Where pairs of a better and a worse answer to a question come from.

    `pairs` is a file of JSON lines with `messages` (the question), `chosen` and `rejected`; its last share `held_out`
    is for validation. Without it pairs are made of the train split: `draws` answers of the model to each question are
    verified, the first wrong one is rejected, and chosen is the reference answer, or the first right one where the
    reference is wrong.
    """

    pairs: str | None = None
    held_out: float = Field(default=0.1, ge=0.0, lt=1.0)
    verifier: VerifierConfig = ExactConfig()
    draws: int = Field(default=4, ge=1, le=1024)
    max_tokens: int = Field(default=128, ge=1)
    temperature: float = Field(default=1.0, gt=0.0)


class DpoConfig(PairsConfig):
    """Of two answers to a question the better one gains (DPO); `beta` holds the model back."""

    kind: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0.0)


class KtoConfig(PairsConfig):
    """Each answer is good or bad by itself (KTO); `beta` holds the model back. `bad` is the weight of bad answers."""

    kind: Literal["kto"] = "kto"
    beta: float = Field(default=0.1, gt=0.0)
    bad: float = Field(default=1.0, ge=0.0)


class OrpoConfig(PairsConfig):
    """The better answer is learned, and its odds gain over the worse one's by `weight` (ORPO)."""

    kind: Literal["orpo"] = "orpo"
    weight: float = Field(default=0.1, gt=0.0)


class GrpoConfig(Config):
    """Answers are drawn in groups, a verifier says which are right, and those become likelier (GRPO).

    `kl` is the weight of the step back to the model as it came.
    """

    kind: Literal["grpo"] = "grpo"
    verifier: VerifierConfig = ExactConfig()
    group_size: int = Field(default=8, ge=2, le=1024)
    max_tokens: int = Field(default=64, ge=1)
    temperature: float = Field(default=1.0, gt=0.0)
    kl: float = Field(default=0.04, ge=0.0)


class DistilConfig(Config):
    """The model learns what a larger one says of every token of the answers (distillation).

    `teacher` names the stage whose model teaches. `share` of the loss is the divergence from it at `temperature`, the
    rest is that of `sft`.
    """

    kind: Literal["distil"] = "distil"
    teacher: Literal["base", "train"] = "base"
    share: float = Field(default=0.7, gt=0.0, le=1.0)
    temperature: float = Field(default=2.0, gt=0.0)


_Objectives = SftConfig | DpoConfig | KtoConfig | OrpoConfig | GrpoConfig | DistilConfig
Objective = Annotated[Annotated[_Objectives, Field(discriminator="kind")], BeforeValidator(named)]


class AdaptConfig(Config):
    """How a model is adapted to the train split.

    `method` says what moves: adapters (`lora`), adapters with a magnitude beside them (`dora`), adapters over a base in
    4 bits (`qlora`), or every weight (`full`). Of a chat its last message is learned, of a text everything. A sample
    longer than `context_tokens` (None: the model's context) is dropped, or cut with `too_long = "truncate"`. A
    budget can be `epochs` instead of what `trainer.budget` names. `checkpointing = "on"` makes activations again in the
    backward pass: less memory, a third more time.
    """

    method: Method = "lora"
    objective: Objective = SftConfig()
    lora: LoraConfig = LoraConfig()
    context_tokens: int | None = Field(default=None, ge=8, le=1 << 20)
    too_long: Literal["drop", "truncate"] = "drop"
    epochs: float | None = Field(default=None, gt=0.0, le=10_000.0)
    checkpointing: Literal["on", "off"] = "off"
    general: GeneralConfig | None = None
    rehearsal: RehearsalConfig | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    trainer: TrainerConfig = TrainerConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.epochs is not None and not self.trainer.budget.is_open:
            raise ValueError("epochs and trainer.budget both say how long to train; keep one of them")
        if self.trainer.budget.tokens is not None:
            raise ValueError("a budget of this stage counts time, steps, samples or epochs, not tokens")
        if self.trainer.privacy is not None:
            raise ValueError("differential privacy is of [train]; this stage has none")
        if self.rehearsal is not None and not isinstance(self.objective, SftConfig):
            raise ValueError(f"rehearsal goes with objective 'sft', and this one is '{self.objective.kind}'")
        return self


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the project has a model that can be adapted, and samples to adapt it to.

    Raises:
        CapabilityError: another modality, or another family.
    """
    entry = modality_component(modality)
    objective = getattr(configs["adapt"], "objective", None)
    if isinstance(objective, DistilConfig) and objective.teacher not in configs:
        raise CapabilityError(
            f"adapt.objective.teacher is the model of [{objective.teacher}], and this project has no such section",
            hint="teacher = 'base' or 'train'",
        )
    objective = getattr(configs["adapt"], "objective", None)
    if modality == "text" and not isinstance(objective, SftConfig):
        raise CapabilityError(
            "preferences and rewards are of answers, and this project's samples are texts", hint="modality = 'chat'"
        )
    if modality != "text" and not entry.answers:
        raise CapabilityError(f"[adapt] is for language models, and this project's modality is '{modality}'")
    family = getattr(configs.get("train"), "family", None)
    if family is not None and (family.kind != "autoregressive" or family.net.kind != "transformer"):
        raise CapabilityError(
            "[adapt] moves a transformer of family 'autoregressive'", hint="train.family = 'autoregressive'"
        )


def fingerprint(config: AdaptConfig, root: Path) -> str | None:
    """A digest of what is read besides the inputs: texts of other kinds, pairs, an adapter to start from.

    Downloads nothing.

    Raises:
        GenwrightError: a source or a file is not there, or steps out of the project.
    """
    found: list[object] = []
    for texts in (config.general, config.rehearsal):
        if texts is not None:
            found += [source_identity(source, root) for source in texts.sources]
    if isinstance(config.objective, PairsConfig) and config.objective.pairs is not None:
        found.append(file_digest(pairs_file(config.objective, root)))
    if config.lora.start is not None:
        folder = root / config.lora.start
        found += [[path.name, file_digest(path)] for path in sorted(folder.glob("*")) if path.is_file()]
    return json_digest(found) if found else None


def pairs_file(objective: PairsConfig, root: Path) -> Path:
    """Where the pairs are.

    Raises:
        SpecError: it steps out of the project.
        DataError: there is no such file.
    """
    assert objective.pairs is not None
    path = inside(objective.pairs, root, source=objective.pairs)
    if not path.is_file():
        raise DataError(f"adapt.objective.pairs '{objective.pairs}' is no file of the project")
    return path


STAGE = StageSpec(
    name="adapt",
    order=35,
    version="4",
    config=AdaptConfig,
    run="genwright.stages.adapt.run:run",
    inputs=("dataset", "codec", "model"),
    optional=("model:base", "model:train"),
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
