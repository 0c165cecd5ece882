"""Pretrained weights of Hugging Face classes that have this house's layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genwright.core import CapabilityError
from genwright.nets.config import TransformerConfig

# Of each model type, whether it normalises queries and keys.
LAYOUTS = {"llama": False, "mistral": False, "qwen3": True}
PREFIX = "model."
HINT = "model types that can be read: llama (SmolLM2, TinyLlama, Llama 2), mistral and qwen3, without scaled positions"


def transformer_config(settings: Mapping[str, Any], /) -> TransformerConfig:
    """The net for the settings of a `config.json`.

    Raises:
        CapabilityError: the model computes something that the net does not.
    """
    kind = settings.get("model_type")
    if kind not in LAYOUTS:
        raise CapabilityError(f"a model of type '{kind}' cannot be read", hint=HINT)
    d, heads = int(settings["hidden_size"]), int(settings["num_attention_heads"])
    _refuse(settings, head_dim=d // heads)
    return TransformerConfig(
        num_layers=settings["num_hidden_layers"],
        d_model=d,
        num_heads=heads,
        num_kv_heads=settings.get("num_key_value_heads") or heads,
        d_ff=settings["intermediate_size"],
        tied_head=bool(settings.get("tie_word_embeddings")),
        qk_norm=LAYOUTS[kind],
        rope_theta=float(_positions(settings).get("rope_theta", 10_000.0)),
        norm_eps=settings["rms_norm_eps"],
    )


def _positions(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rotary settings, which older files keep at the top and under `rope_scaling`."""
    found = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    return {"rope_theta": settings.get("rope_theta") or 10_000.0, **found}


def _refuse(settings: Mapping[str, Any], *, head_dim: int) -> None:
    positions = _positions(settings)
    differs = {
        "hidden_act": settings.get("hidden_act", "silu") != "silu",
        "attention_bias": bool(settings.get("attention_bias")),
        "mlp_bias": bool(settings.get("mlp_bias")),
        "head_dim": (settings.get("head_dim") or head_dim) != head_dim,
        "rope_scaling": positions.get("rope_type", positions.get("type", "default")) != "default",
        "sliding_window": bool(settings.get("sliding_window")) and settings.get("use_sliding_window", True),
    }
    found = [name for name, differ in differs.items() if differ]
    if found:
        shown = ", ".join(f"{name} = {settings.get(name)!r}" for name in found)
        raise CapabilityError(f"this {settings['model_type']} model has {shown}, which the net does not do", hint=HINT)


def net_tensors(tensors: Mapping[str, Tensor], /, *, tied: bool) -> dict[str, Tensor]:
    """The weights under the net's names, in float32."""
    kept = {name: value for name, value in tensors.items() if not (tied and name.startswith("lm_head"))}
    return {name.removeprefix(PREFIX): value.detach().float().contiguous() for name, value in kept.items()}
