"""From an objective to its material."""

from __future__ import annotations

from typing import Any

from genwright.core import Context
from genwright.families.tuning import SupervisedTuning
from genwright.stages.adapt.config import AdaptConfig, DpoConfig, GrpoConfig
from genwright.stages.adapt.material import Material, Splits
from genwright.stages.adapt.model import Adaptable
from genwright.stages.adapt.pairs import pair_material
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
    if isinstance(objective, DpoConfig):
        return pair_material(objective, context, adaptable=adaptable, splits=splits, codec=codec)
    if isinstance(objective, GrpoConfig):
        return reward_material(objective, context, adaptable=adaptable, splits=splits, codec=codec)
    return _answers(context, adaptable=adaptable, splits=splits)


def _answers(context: Context, *, adaptable: Adaptable, splits: Splits) -> Material:
    """Supervised fine-tuning on the answers."""
    train = splits["train"].sequences
    feed = PackedFeed(train, seed=context.seed_for("rows"), device=context.device)
    held_out = None
    if "validation" in splits:
        held_out = PackedFeed(splits["validation"].sequences, seed=0, device=context.device, shuffle=False)
    return Material(SupervisedTuning(adaptable.net), feed, held_out, "token", row_tokens=int(train.sizes.max()))
