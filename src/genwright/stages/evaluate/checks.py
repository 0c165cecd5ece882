"""What the settings ask of other sections, known at planning. Imports no torch."""

from collections.abc import Mapping
from typing import Any, cast

from genwright.core import CapabilityError, Config, component
from genwright.core.representations import Representation
from genwright.families import FamilyConfig
from genwright.stages.evaluate import models

NO_EMBEDDING = "evaluate.properties predicts from embeddings, and this family has none"
WITH_EMBEDDING = (
    "train.family = vae or latent has, over sequences autoregressive too; or leave [evaluate.properties] out"
)


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the models that the settings name are made, and the family has the embedding that properties need.

    Raises:
        SpecError: no section makes a model, or it would draft for itself.
        CapabilityError: another engine runs it, its family cannot guess ahead, or has no embedding.
    """
    models.check(configs, modality)
    if getattr(configs["evaluate"], "properties", None) is not None:
        _check_embedding(getattr(configs.get("train"), "family", None), getattr(configs.get("fit"), "codec", None))


def _check_embedding(family: Any, codec: Any) -> None:
    if not isinstance(family, FamilyConfig) or codec is None:
        return
    entry = component("codecs", codec.kind)
    made = cast("Representation", (entry.accepts or ("tokens",))[0])
    if not family.embeds(made, own_ids=entry.own_ids):
        raise CapabilityError(f"{NO_EMBEDDING} (train.family '{family.kind}', over {made})", hint=WITH_EMBEDDING)
