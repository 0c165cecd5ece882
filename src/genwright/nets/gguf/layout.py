"""A transformer of this house under the names and in the order of llama.cpp, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from genwright.core import CapabilityError
from genwright.nets.config import TransformerConfig
from genwright.nets.gguf.file import GgufFile, Value

UINT32, FLOAT32, STRING = 4, 6, 8
WHOLE = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
OF_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OURS = {theirs: ours for ours, theirs in OF_LAYER.items()}
WHOLE_OURS = {theirs: ours for ours, theirs in WHOLE.items()}
ARCHITECTURES = {False: "llama", True: "qwen3"}
INTERLEAVED = ("attn_q.weight", "attn_k.weight")
NUM_LAYERS = "block_count"


def their_name(name: str, /) -> str:
    """llama.cpp's name of one of our tensors.

    Raises:
        CapabilityError: llama.cpp has no place for it (experts).
    """
    stem = name.removesuffix(".weight")
    if stem in WHOLE:
        return f"{WHOLE[stem]}.weight"
    found = re.fullmatch(r"layers\.(\d+)\.(.+)", stem)
    if found is None or found[2] not in OF_LAYER:
        raise CapabilityError(f"the tensor '{name}' has no place in a GGUF file written here", hint="num_experts = 0")
    return f"blk.{found[1]}.{OF_LAYER[found[2]]}.weight"


def our_name(name: str, /) -> str:
    """Our name of one of llama.cpp's tensors.

    Raises:
        CapabilityError: the net has no such part.
    """
    stem = name.removesuffix(".weight")
    if stem in WHOLE_OURS:
        return f"{WHOLE_OURS[stem]}.weight"
    found = re.fullmatch(r"blk\.(\d+)\.(.+)", stem)
    if found is None or found[2] not in OURS or stem == name:
        raise CapabilityError(f"this model has a tensor '{name}', which the net does not have")
    return f"layers.{found[1]}.{OURS[found[2]]}.weight"


def interleaved(weight: Tensor, /, *, num_heads: int) -> Tensor:
    """Rows of a query or key matrix with the two halves of each head mixed, as llama.cpp turns them in pairs.

    Source: llama.cpp, `convert_hf_to_gguf.py`, `LlamaModel.permute`.
    """
    return weight.view(num_heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def in_halves(weight: Tensor, /, *, num_heads: int) -> Tensor:
    """What `interleaved` mixed, in its first order."""
    return weight.view(num_heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def fields_of(config: TransformerConfig, /, *, vocab_size: int, context_tokens: int) -> dict[str, Value]:
    """The fields that describe the net."""
    d, layers, heads, kv_heads, d_ff = config.shape()
    architecture = ARCHITECTURES[config.qk_norm]
    whole = {
        "vocab_size": vocab_size,
        "context_length": context_tokens,
        "embedding_length": d,
        NUM_LAYERS: layers,
        "feed_forward_length": d_ff,
        "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "attention.key_length": d // heads,
        "attention.value_length": d // heads,
        "rope.dimension_count": d // heads,
    }
    real = {"rope.freq_base": config.rope_theta, "attention.layer_norm_rms_epsilon": config.norm_eps}
    return (
        {"general.architecture": Value(STRING, architecture)}
        | {f"{architecture}.{name}": Value(UINT32, value) for name, value in whole.items()}
        | {f"{architecture}.{name}": Value(FLOAT32, value) for name, value in real.items()}
    )


def settings_of(file: GgufFile, /) -> dict[str, Any]:
    """The settings that a `config.json` of the model would have."""
    kind = str(file.get("general.architecture", "unknown"))

    def read(name: str, default: Any = None) -> Any:
        return file.get(f"{kind}.{name}", default)

    heads, d = read("attention.head_count"), read("embedding_length")
    embedding = file.tensors.get("token_embd.weight")
    scaled = read("rope.scaling.type", "none") != "none" or "rope_freqs.weight" in file.tensors
    return {
        "model_type": kind,
        "vocab_size": embedding.shape[0] if embedding else 0,
        "hidden_size": d,
        "num_hidden_layers": read(NUM_LAYERS),
        "num_attention_heads": heads,
        "num_key_value_heads": read("attention.head_count_kv", heads),
        "head_dim": read("attention.key_length"),
        "intermediate_size": read("feed_forward_length"),
        "max_position_embeddings": read("context_length"),
        "rms_norm_eps": _shortest(read("attention.layer_norm_rms_epsilon")),
        "rope_theta": _shortest(read("rope.freq_base", 10_000.0)),
        "rope_scaling": {"rope_type": "scaled"} if scaled else None,
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "tie_word_embeddings": "output.weight" not in file.tensors,
    }


def _shortest(value: float) -> float:
    """The number that was meant: a float32 has about seven digits."""
    return float(f"{value:.7g}")


def check_whole(settings: Mapping[str, Any], /) -> None:
    """Passes where the file says all that describes a net.

    Raises:
        CapabilityError: otherwise.
    """
    optional = ("head_dim", "rope_scaling")
    missing = [name for name, value in settings.items() if value is None and name not in optional]
    if missing:
        raise CapabilityError(f"a GGUF model of type '{settings['model_type']}' without {', '.join(missing)}")
    if isinstance(settings["num_key_value_heads"], list):
        raise CapabilityError("this GGUF model has another number of heads in each layer, which the net does not do")


def as_float32(value: Tensor, /) -> Tensor:
    """A copy on the processor."""
    return value.detach().to("cpu", torch.float32).contiguous()
