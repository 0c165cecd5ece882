"""From an objective to its material."""

from __future__ import annotations

from typing import Any

from genwright.core import CapabilityError, Context
from genwright.families.distilled import DistilledTuning
from genwright.families.store import load_family
from genwright.families.tuning import SupervisedTuning
from genwright.nets.transformer import Transformer
from genwright.stages.adapt.config import AdaptConfig, DistilConfig, GrpoConfig, PairsConfig
from genwright.stages.adapt.material import Material, Splits, held_out_answers
from genwright.stages.adapt.model import Adaptable
from genwright.stages.adapt.pairs import pair_material
from genwright.stages.adapt.rehearsal import rehearsed_material
from genwright.stages.adapt.rewards import reward_material
from genwright.trainer.packed import PackedFeed


def make_material(
    config: AdaptConfig, context: Context, *, adaptable: Adaptable, splits: Splits, codec: Any
) -> Material:
    """The material of the objective that is asked for.

    Raises:
        DataError: there are no pairs, or they cannot be read.
    """
    objective = config.objective
    if isinstance(objective, PairsConfig):
        return pair_material(objective, context, adaptable=adaptable, splits=splits, codec=codec)
    if isinstance(objective, GrpoConfig):
        return reward_material(objective, context, adaptable=adaptable, splits=splits, codec=codec)
    family = SupervisedTuning(adaptable.net)
    if config.rehearsal is not None:
        return rehearsed_material(config, context, adaptable=adaptable, splits=splits, codec=codec)
    if isinstance(objective, DistilConfig):
        family = _distilled(objective, context, adaptable=adaptable)
    return _answers(family, context, splits=splits)


def _distilled(objective: DistilConfig, context: Context, *, adaptable: Adaptable) -> DistilledTuning:
    teacher = load_family(context.inputs[f"model:{objective.teacher}"].path, device=context.device).net
    if not isinstance(teacher, Transformer) or teacher.vocab_size != adaptable.net.vocab_size:
        raise CapabilityError(
            f"the model of [{objective.teacher}] cannot teach this one: they read other tokens",
            hint="teacher and student have the same codec",
        )
    return DistilledTuning(adaptable.net, teacher=teacher, share=objective.share, temperature=objective.temperature)


def _answers(family: SupervisedTuning, context: Context, *, splits: Splits) -> Material:
    """Supervised fine-tuning on the answers."""
    train = splits["train"].sequences
    feed = PackedFeed(train, seed=context.seed_for("rows"), device=context.device)
    held_out = held_out_answers(splits, context)
    return Material(family, feed, held_out, "token", row_tokens=int(train.sizes.max()))
