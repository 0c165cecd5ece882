"""From the dial to every number of a training run, and the check at planning. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from genwright.core import CapabilityError, Config, SpecError, component
from genwright.families import FamilyConfig
from genwright.nets import scale_for
from genwright.nets.dial import TOKENS_PER_PARAMETER
from genwright.stages.train.config import TrainConfig
from genwright.trainer import BudgetConfig, TrainerConfig

# Assumption: so many tokens in one backward pass keep activations of the sizes up to `base` under 4 GiB.
MICRO_BATCH_TOKENS = 16_384
NOMINAL_VOCABULARY = 4096


@dataclass(frozen=True)
class Shape:
    """What the dial comes to; rows are sequences of `context_tokens` predicted tokens."""

    family: FamilyConfig
    num_parameters: int
    context_tokens: int
    batch_rows: int
    micro_rows: int
    learning_rate: float
    trainer: TrainerConfig

    @property
    def batch_tokens(self) -> int:
        """Predicted tokens in one step."""
        return self.batch_rows * self.context_tokens


def resolve(config: TrainConfig, /, *, vocab_size: int) -> Shape:
    """Every shape and rate of the run.

    Raises:
        SpecError: the shapes asked for do not fit each other.
    """
    family = cast("FamilyConfig", config.family)

    def sized(depth: int) -> FamilyConfig:
        return family.resolve(depth=depth, vocab_size=vocab_size)

    try:
        scale = scale_for(
            config.size,
            compute_flops=config.compute_flops,
            parameters=lambda depth: sized(depth).num_parameters(vocab_size=vocab_size),
        )
        resolved = sized(scale.depth)
    except ValueError as error:
        raise SpecError(f"train.family: {error}") from None
    context_tokens = config.context_tokens or scale.context_tokens
    trainer = config.trainer
    num_parameters = resolved.num_parameters(vocab_size=vocab_size)
    if config.compute_flops is not None and trainer.budget.is_open:
        tokens = TOKENS_PER_PARAMETER * num_parameters
        trainer = trainer.model_copy(update={"budget": BudgetConfig(tokens=tokens)})
    batch_rows = max(1, (trainer.batch_tokens or scale.batch_tokens) // context_tokens)
    micro_tokens = trainer.micro_batch_tokens or MICRO_BATCH_TOKENS
    return Shape(
        family=resolved,
        num_parameters=num_parameters,
        context_tokens=context_tokens,
        batch_rows=batch_rows,
        micro_rows=min(batch_rows, max(1, micro_tokens // context_tokens)),
        learning_rate=trainer.optimiser.learning_rate or resolved.learning_rate(),
        trainer=trainer,
    )


def describe(config: TrainConfig, /, *, vocab_size: int = NOMINAL_VOCABULARY) -> dict[str, Any]:
    """The resolved numbers as plain JSON, for a plan to show."""
    shape = resolve(config, vocab_size=vocab_size)
    return {
        "family": shape.family.model_dump(mode="json"),
        "num_parameters": shape.num_parameters,
        "context_tokens": shape.context_tokens,
        "batch_tokens": shape.batch_tokens,
        "learning_rate": shape.learning_rate,
        "budget": shape.trainer.budget.model_dump(mode="json", exclude_none=True) or {"time": "60s"},
    }


def summary(configs: Mapping[str, Config], /) -> str:
    """What the dial comes to, in one line for `genwright plan`."""
    config = configs["train"]
    assert isinstance(config, TrainConfig)
    codec = getattr(configs.get("fit"), "codec", None)
    found = describe(config, vocab_size=getattr(codec, "vocab_size", NOMINAL_VOCABULARY))
    net = found["family"].get("net", {})
    shape = f"{net.get('num_layers')} x {net.get('d_model')}, " if net.get("d_model") else ""
    return (
        f"{net.get('kind', found['family']['kind'])} {shape}{found['num_parameters'] / 1e6:.2g} M parameters, "
        f"context {found['context_tokens']}, {found['batch_tokens']:,} tokens a step, rate {found['learning_rate']:.2g}"
    )


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the family can work on what the codec makes, at shapes that fit.

    Raises:
        CapabilityError: the family does not accept the codec's representation.
        SpecError: the shapes do not fit each other.
    """
    config = configs["train"]
    assert isinstance(config, TrainConfig)
    resolve(config, vocab_size=NOMINAL_VOCABULARY)
    codec = getattr(configs.get("fit"), "codec", None)
    if codec is None:
        return
    made = component("codecs", codec.kind).accepts or ("tokens",)
    family = component("families", config.family.kind)
    if family.accepts and not set(made) & set(family.accepts):
        raise CapabilityError(
            f"family '{config.family.kind}' works on {', '.join(family.accepts)}; "
            f"codec '{codec.kind}' of modality '{modality}' makes {', '.join(made)}",
            hint="choose another fit.codec or train.family",
        )
