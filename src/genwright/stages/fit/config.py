"""Declaration of the fit stage."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, create_model

from genwright.core import (
    CapabilityError,
    Config,
    SpecError,
    StageSpec,
    component,
    component_field,
    modality_component,
    trained_on,
)
from genwright.modalities.conditioning import ConditionConfig

_Codec: Any = component_field("codecs")
AUTO = "auto"


class FitConfig(Config):
    """Which codec turns samples into what the model sees, and which columns samples are conditioned on."""

    codec: _Codec = Field(default="bpe", validate_default=True)


def config_for(modality: str, /) -> type[Config]:
    """The settings for a modality: samples that stand for themselves can be conditioned on their columns."""
    if not trained_on(modality, stage="fit").rows:
        return FitConfig
    return create_model(
        "RowFitConfig", __base__=FitConfig, codec=(_Codec, ...), condition=(tuple[ConditionConfig, ...], ())
    )


def settle(section: Mapping[str, Any], table: Mapping[str, Any], modality: str) -> Mapping[str, Any]:
    """The section with its codec: the one asked for, or the modality's own for what the family of [train] works on.

    `options` holds settings by kind of codec, for the one that is chosen.

    Raises:
        CapabilityError: no codec of the modality makes what the family accepts, or the codec is of another modality.
        SpecError: `options` names a codec that is not there.
    """
    body = dict(section)
    options = dict(body.pop("options", {}))
    asked = body.get("codec", AUTO)
    kind = asked if isinstance(asked, str) else asked.get("kind")
    if kind in (AUTO, None):
        kind = _chosen(table, modality)
    for name in (kind, *options):
        _serves(name, modality)
    body["codec"] = {
        "kind": kind,
        **options.get(kind, {}),
        **({} if isinstance(asked, str) else {**asked, "kind": kind}),
    }
    return body


def _chosen(table: Mapping[str, Any], modality: str) -> str:
    family = table.get("train", {}).get("family", "autoregressive")
    kind = family if isinstance(family, str) else str(family.get("kind"))
    entry = component("families", kind)
    found = modality_component(modality).codec_of(entry)
    if found is not None:
        return found
    made = ", ".join(modality_component(modality).codecs)
    raise CapabilityError(
        f"family '{kind}' works on {', '.join(entry.accepts)}; the codecs of modality '{modality}' make {made}",
        hint="choose another train.family",
    )


def _serves(kind: str, modality: str) -> None:
    entry = component("codecs", kind)
    if entry.modalities and modality not in entry.modalities:
        served = ", ".join(entry.modalities)
        raise SpecError(f"fit: codec '{kind}' is for {served}, and this project's modality is '{modality}'")
    if entry.brought_by:
        raise SpecError(
            f"fit: codec '{kind}' comes with what [{entry.brought_by}] brings, and cannot be fitted",
            hint=f"write [{entry.brought_by}] in place of [fit]",
        )


STAGE = StageSpec(
    name="fit",
    order=20,
    version="5",
    config=FitConfig,
    run="genwright.stages.fit.run:run",
    inputs=("dataset",),
    outputs={"codec": "codec", "codec_scores": "scores"},
    libraries=("tokenizers", "numpy", "pyarrow"),
    config_for="genwright.stages.fit.config:config_for",
    settle="genwright.stages.fit.config:settle",
    extra="train",
)
