"""What the settings ask of other sections, known at planning. Imports no torch."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from genwright.core import CapabilityError, Config, SpecError, component
from genwright.core.representations import Representation
from genwright.families import FamilyConfig
from genwright.stages.evaluate import models

NO_EMBEDDING = "evaluate.properties predicts from embeddings, and this family has none"
WITH_EMBEDDING = (
    "train.family = vae or latent has, over sequences autoregressive too; or leave [evaluate.properties] out"
)


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the models that the settings name are made, and the family can do what is to be measured.

    Raises:
        SpecError: no section makes a model, it would draft for itself, or samples are not conditioned on what is asked.
        CapabilityError: another engine runs it; its family cannot guess ahead, guide or restore, or has no embedding.
    """
    models.check(configs, modality)
    evaluate, fit = configs["evaluate"], configs.get("fit")
    family, codec = getattr(configs.get("train"), "family", None), getattr(fit, "codec", None)
    if getattr(evaluate, "properties", None) is not None:
        _check_embedding(family, codec)
    if getattr(getattr(evaluate, "metrics", None), "restoration", None) is not None:
        _check_restores(family, codec)
    _check_asked(evaluate, [one.column for one in getattr(fit, "condition", ())], family)


def _check_restores(family: Any, codec: Any) -> None:
    if not isinstance(family, FamilyConfig) or codec is None:
        return
    if family.kind != "diffusion" or "grid" not in component("codecs", codec.kind).accepts:
        raise CapabilityError(
            "evaluate.metrics.restoration takes noise away and enlarges, and this family cannot "
            f"(train.family '{family.kind}', fit.codec '{codec.kind}')",
            hint="train.family = diffusion over fit.codec = image-grid can; or leave restoration out",
        )


def _check_asked(evaluate: Any, columns: Sequence[str], family: Any) -> None:
    asked, guidance = getattr(getattr(evaluate, "metrics", None), "asked", None), getattr(evaluate, "guidance", 1.0)
    if asked is not None and asked not in columns:
        named = ", ".join(columns) or "none"
        raise SpecError(
            f"evaluate.metrics.asked is '{asked}', and fit.condition does not name it (it names: {named})",
            hint=f'fit.condition = [{{ column = "{asked}", kind = "number" }}], or leave asked out',
        )
    if guidance != 1.0 and columns and isinstance(family, FamilyConfig) and not family.guides():
        raise CapabilityError(
            f"evaluate.guidance is {guidance:g}, and train.family '{family.kind}' cannot guide",
            hint="set evaluate.guidance=1, or choose a family that can (docs: families)",
        )


def _check_embedding(family: Any, codec: Any) -> None:
    if not isinstance(family, FamilyConfig) or codec is None:
        return
    entry = component("codecs", codec.kind)
    made = cast("Representation", (entry.accepts or ("tokens",))[0])
    if not family.embeds(made, own_ids=entry.own_ids):
        raise CapabilityError(f"{NO_EMBEDDING} (train.family '{family.kind}', over {made})", hint=WITH_EMBEDDING)
