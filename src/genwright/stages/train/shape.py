"""From the dial to every number of a training run, and the check at planning. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from genwright.core import CapabilityError, Component, Config, SpecError, component
from genwright.core.protocols import GridShape, Shape, TokenShape, VectorColumn, VectorShape
from genwright.core.registry import kinds
from genwright.core.representations import Representation, representation_of
from genwright.families import FamilyConfig
from genwright.nets import scale_for
from genwright.nets.dial import TOKENS_PER_PARAMETER, Scale
from genwright.stages.train.config import TrainConfig
from genwright.trainer import BudgetConfig, TrainerConfig

# Assumption: so many tokens in one backward pass keep activations of the sizes up to `base` under 4 GiB.
MICRO_BATCH_TOKENS = 16_384
NOMINAL_VOCABULARY = 4096
NOMINAL_CELLS = (16, 64)  # of a codec with a fixed layout, and the ids of each
# What a plan assumes of a codec that is not fitted yet.
NOMINAL: Mapping[str, Shape] = {
    "tokens": TokenShape(NOMINAL_VOCABULARY, NOMINAL_VOCABULARY - 2, NOMINAL_VOCABULARY - 1, 512),
    "vector": VectorShape(tuple(VectorColumn(f"column {number}", "number") for number in range(16))),
    "grid": GridShape(1, 32, 32),
}
# Assumption: samples in one step, few for what is large; `batch_samples` says otherwise.
BATCH_SAMPLES = {"tokens": 64, "vector": 256, "grid": 64}


@dataclass(frozen=True)
class Resolved:
    """What the dial comes to. A row of a stream is `context_tokens` predicted tokens, any other row is one sample."""

    family: FamilyConfig
    shape: Shape
    num_parameters: int | None
    batch_rows: int
    micro_rows: int
    learning_rate: float
    trainer: TrainerConfig


def resolve(config: TrainConfig, /, *, shape: Shape, stream: bool = True) -> Resolved:
    """Every shape and rate of the run. The context of a stream is the dial's; that of other tokens is the codec's.

    Raises:
        SpecError: the shapes asked for do not fit each other.
    """
    try:
        scale = _scale(config, shape)
        if stream and isinstance(shape, TokenShape):
            shape = replace(shape, context_tokens=config.context_tokens or scale.context_tokens)
        family = cast("FamilyConfig", config.family).resolve(depth=scale.depth, shape=shape)
        num_parameters = family.num_parameters(shape=shape)
    except ValueError as error:
        raise SpecError(f"train.family: {error}") from None
    trainer = config.trainer
    if config.compute_flops is not None and trainer.budget.is_open and num_parameters is not None:
        budget = BudgetConfig(tokens=TOKENS_PER_PARAMETER * num_parameters)
        trainer = trainer.model_copy(update={"budget": budget})
    batch_rows, micro_rows = _rows(trainer, scale, shape, stream)
    rate = trainer.optimiser.learning_rate or family.learning_rate()
    return Resolved(family, shape, num_parameters, batch_rows, micro_rows, rate, trainer)


def _scale(config: TrainConfig, shape: Shape) -> Scale:
    family = cast("FamilyConfig", config.family)

    def parameters(depth: int) -> int:
        count = family.resolve(depth=depth, shape=shape).num_parameters(shape=shape)
        if count is None:
            raise ValueError(f"compute_flops does not work for '{family.kind}'; say train.size instead")
        return count

    return scale_for(config.size, compute_flops=config.compute_flops, parameters=parameters)


def _rows(trainer: TrainerConfig, scale: Scale, shape: Shape, stream: bool) -> tuple[int, int]:
    """Rows in one step, and in one backward pass."""
    if stream and isinstance(shape, TokenShape):
        rows = max(1, (trainer.batch_tokens or scale.batch_tokens) // shape.context_tokens)
    else:
        kind = "tokens" if isinstance(shape, TokenShape) else "vector" if isinstance(shape, VectorShape) else "grid"
        rows = trainer.batch_samples or BATCH_SAMPLES[kind]
    row_tokens = shape.context_tokens if isinstance(shape, TokenShape) else 1
    return rows, min(rows, max(1, (trainer.micro_batch_tokens or MICRO_BATCH_TOKENS) // row_tokens))


def describe(config: TrainConfig, /, *, shape: Shape = NOMINAL["tokens"], stream: bool = True) -> dict[str, Any]:
    """The resolved numbers as plain JSON, for a plan to show."""
    found = resolve(config, shape=shape, stream=stream)
    row_tokens = found.shape.context_tokens if stream and isinstance(found.shape, TokenShape) else 1
    return {
        "family": found.family.model_dump(mode="json"),
        "num_parameters": found.num_parameters,
        "context_tokens": row_tokens,
        "batch": found.batch_rows * row_tokens,
        "unit": "tokens" if stream else "samples",
        "learning_rate": found.learning_rate,
        "budget": found.trainer.budget.model_dump(mode="json", exclude_none=True) or {"time": "60s"},
    }


def summary(configs: Mapping[str, Config], /) -> str:
    """What the dial comes to, in one line for `genwright plan`."""
    config = configs["train"]
    assert isinstance(config, TrainConfig)
    codec = getattr(configs.get("fit"), "codec", None)
    shape, stream = _nominal(codec)
    found = describe(config, shape=shape, stream=stream)
    name, widths = _named(found["family"])
    if not found["learning_rate"]:
        return f"{name}, fitted without steps"
    # A width of cells says that there are cells, also where only samples tell: the count is of a net over sequences.
    uncounted = found["num_parameters"] is None or found["family"].get("cell_width")
    size = "" if uncounted else f" {found['num_parameters'] / 1e6:.2g} M parameters,"
    context = f" context {found['context_tokens']}," if stream else ""
    batch = f"{found['batch']:,} {found['unit']} a step"
    return f"{name} {widths}{size.strip()}{context} {batch}, rate {found['learning_rate']:.2g}"


def _named(family: Mapping[str, Any]) -> tuple[str, str]:
    """The net that a family has, and how deep and wide it is where it says so."""
    net = family["net"] if isinstance(family.get("net"), dict) else {}
    name = str(net.get("kind", family["kind"]))
    if not family.get("cell_width"):
        return name, f"{net.get('num_layers')} x {net.get('d_model')}, " if net.get("d_model") else ""
    if name == "trees":
        return f"trees in {net['num_orders']} orders", ""
    widths = f"{family.get('cell_layers') or net.get('num_layers')} x {family['cell_width']}, "
    return ("perceptron over cells" if family["order"] == "any" else f"{name} over cells"), widths


def _nominal(codec: Any) -> tuple[Shape, bool]:
    """The shape to plan with, and whether samples are cut from a stream."""
    if codec is None:
        return NOMINAL["tokens"], True
    entry = component("codecs", codec.kind)
    shape = NOMINAL[(entry.accepts or ("tokens",))[0]]
    if isinstance(shape, TokenShape) and entry.layout:
        count, ids = NOMINAL_CELLS
        step = ids if entry.own_ids else 0
        shape = replace(shape, cells=tuple((cell * step, ids) for cell in range(count)), context_tokens=count)
    if isinstance(shape, TokenShape) and (size := getattr(codec, "vocab_size", None)):
        shape = replace(shape, vocab_size=size)
    return shape, entry.stream


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the family can work on what the codec makes, at shapes that fit.

    Raises:
        CapabilityError: the family does not accept the codec's representation.
        SpecError: the shapes do not fit each other.
    """
    config = configs["train"]
    assert isinstance(config, TrainConfig)
    codec = getattr(configs.get("fit"), "codec", None)
    if codec is not None:
        made = component("codecs", codec.kind).accepts or ("tokens",)
        family = component("families", config.family.kind)
        if family.accepts and not set(made) & set(family.accepts):
            raise CapabilityError(
                f"family '{config.family.kind}' works on {', '.join(family.accepts)}; "
                f"codec '{codec.kind}' of modality '{modality}' makes {', '.join(made)}",
                hint="choose another fit.codec or train.family",
            )
        if component("codecs", codec.kind).stream and not family.stream:
            raise CapabilityError(
                f"family '{config.family.kind}' makes samples that stand for themselves, "
                f"and codec '{codec.kind}' makes streams of text",
                hint="cut texts into passages: project.modality = 'passage' (genwright new prose-passages DIR)",
            )
    shape, stream = _nominal(codec)
    shape = replace(shape, cond_size=len(getattr(configs.get("fit"), "condition", ())))
    _check_privacy(config, shape=shape, stream=stream)
    resolve(config, shape=shape, stream=stream)


def _able(entry: Component, representation: str) -> bool:
    return cast("FamilyConfig", entry.config()).not_private(cast("Representation", representation)) is None


def _check_privacy(config: TrainConfig, *, shape: Shape, stream: bool) -> None:
    """Passes where no privacy is asked for, or the family can be trained so.

    Raises:
        CapabilityError: it cannot; those that can are named.
    """
    if config.trainer.privacy is None:
        return
    if stream:
        raise CapabilityError(
            "differential privacy is of samples that stand for themselves, and a stream of text has none",
            hint="cut texts into passages: project.modality = 'passage'",
        )
    made = representation_of(shape)
    why = cast("FamilyConfig", config.family).not_private(made)
    if why is not None:
        found = [component("families", kind) for kind in kinds("families")]
        able = [one.kind for one in found if any(_able(one, representation) for representation in one.accepts)]
        raise CapabilityError(
            f"family '{config.family.kind}' over {made} cannot be trained with differential privacy: {why}",
            hint=f"families that can: {', '.join(able) or 'none'}",
        )
