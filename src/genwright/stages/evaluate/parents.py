"""The model before the last change to it, which a changed one is measured beside."""

from __future__ import annotations

from genwright.core import Artifact, Context

CHANGES = ("base", "train", "prune", "adapt", "compress")
"""Stages that make a model, in their order."""


def parent(context: Context, /) -> tuple[str, Artifact] | None:
    """(the stage that changed it, the model before that); None where one stage alone made the model."""
    made = [(name, context.inputs[f"model:{name}"]) for name in CHANGES if f"model:{name}" in context.inputs]
    if len(made) < 2:
        return None
    (_, before), (last, _) = made[-2:]
    return last, before
