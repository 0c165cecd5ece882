"""Which of a project's models answers, and which one drafts for it. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from genwright.core import CapabilityError, Config, SpecError

ModelStage = Literal["base", "train", "prune", "adapt", "compress"]
STAGES: tuple[str, ...] = get_args(ModelStage)
"""Stages that make a model, in their order."""


class ModelsConfig(Config):
    """`model` names the stage whose model is the system's (None: the last one made).

    `draft` names the stage whose model guesses tokens for it: answers stay what they are, and may come sooner.
    """

    model: ModelStage | None = None
    draft: ModelStage | None = None


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the models that the settings name are made, and torch runs both where one drafts.

    Raises:
        SpecError: no section makes a model, or it would draft for itself.
        CapabilityError: another engine runs it, or its family cannot guess ahead.
    """
    del modality
    config = configs["evaluate"]
    if not isinstance(config, ModelsConfig):
        return
    made = [name for name in STAGES if name in configs]
    for setting, name in (("model", config.model), ("draft", config.draft)):
        if name is not None and name not in made:
            raise SpecError(
                f"evaluate.{setting} is the model of [{name}], and this project has no such section",
                hint=f"choose of {', '.join(made)}" if made else "leave it out",
            )
    if config.model is not None and config.model != made[-1] and "prompt" in configs:
        raise CapabilityError(
            f"[prompt] searches with the model of [{made[-1]}], and evaluate.model is that of [{config.model}]",
            hint="leave out [prompt], or evaluate.model",
        )
    if config.draft is not None:
        _check_draft(config.draft, target=config.model or made[-1], configs=configs)


def _check_draft(draft: str, *, target: str, configs: Mapping[str, Any]) -> None:
    if draft == target:
        raise SpecError(
            f"evaluate.draft and the system's model are both that of [{draft}]",
            hint="evaluate.model names the larger model, evaluate.draft a smaller one",
        )
    for setting, name in (("model", target), ("draft", draft)):
        if name == "compress" and configs[name].type not in ("int8", "int4"):
            raise CapabilityError(
                f"evaluate.{setting} is of type {configs[name].type}, run by another engine; drafts work with torch",
                hint=f"compress.type = 'int8', or evaluate.{setting} = another stage",
            )
        if name == "base" and configs[name].keep == "gguf":
            raise CapabilityError(
                f"evaluate.{setting} is a GGUF file, which another engine runs; drafts work with torch",
                hint="base.keep = 'weights'",
            )
    family = getattr(configs.get("train"), "family", None)
    if family is not None and (family.kind != "autoregressive" or family.net.kind != "transformer"):
        raise CapabilityError("drafts are of transformers of family 'autoregressive'", hint="leave evaluate.draft out")
