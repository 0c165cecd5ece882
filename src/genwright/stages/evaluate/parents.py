"""The models of the run: the system's, the one that drafts for it, and the one before the last change."""

from __future__ import annotations

from genwright.core import Artifact, Context
from genwright.stages.evaluate.models import STAGES, ModelsConfig


def answering(config: ModelsConfig, context: Context, /) -> Artifact:
    """The system's model."""
    return context.inputs["model" if config.model is None else f"model:{config.model}"]


def drafting(config: ModelsConfig, context: Context, /) -> str | None:
    """The digest of the model that drafts."""
    return None if config.draft is None else context.inputs[f"model:{config.draft}"].digest


def parent(config: ModelsConfig, context: Context, /) -> tuple[str, Artifact] | None:
    """(the stage that changed the system's model, the model before that); None where one stage alone made it."""
    made = [(name, context.inputs[f"model:{name}"]) for name in STAGES if f"model:{name}" in context.inputs]
    if config.model is not None:
        made = made[: [name for name, _ in made].index(config.model) + 1]
    if len(made) < 2:
        return None
    (_, before), (last, _) = made[-2:]
    return last, before
