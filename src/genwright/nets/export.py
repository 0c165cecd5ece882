"""A trained transformer as a Hugging Face folder: config.json, model.safetensors and the tokenizer's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from genwright.core import CapabilityError
from genwright.nets.config import TransformerConfig
from genwright.nets.net import TokenNet
from genwright.nets.transformer import Transformer
from genwright.nets.wrapped import Wrapped

ARCHITECTURES = {
    (False, False): ("llama", "LlamaForCausalLM"),
    (True, False): ("qwen3", "Qwen3ForCausalLM"),
    (False, True): ("mixtral", "MixtralForCausalLM"),
    (True, True): ("qwen3_moe", "Qwen3MoeForCausalLM"),
}
MIXTRAL_EXPERT = {"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"}


def export_hf(
    net: TokenNet,
    *,
    codec_folder: Path,
    out: Path,
    bos_id: int,
    eos_id: int | list[int],
    context_tokens: int,
    as_it_came: bool = False,
) -> tuple[Path, ...]:
    """Writes a folder that `transformers` loads with equal logits; returns its files.

    `as_it_came` says that the tokenizer belongs to a pretrained model and is copied, with its chat template.

    Raises:
        CapabilityError: the net has no Hugging Face layout (an LSTM).
    """
    if isinstance(net, Wrapped):
        config, tensors = dict(net.config.settings), net.library_tensors()
    elif isinstance(net, Transformer):
        config = hf_config(net.config, vocab_size=net.vocab_size, context_tokens=context_tokens)
        tensors = hf_tensors(net)
    else:
        raise CapabilityError(
            f"a {type(net).__name__} net has no Hugging Face layout; the transformer has", hint="net = 'transformer'"
        )
    out.mkdir(parents=True, exist_ok=True)
    config |= {"bos_token_id": bos_id, "eos_token_id": eos_id}
    _write_json(out / "config.json", config)
    weights = {name: value.contiguous().cpu() for name, value in tensors.items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    if as_it_came:
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            if (codec_folder / name).is_file():
                (out / name).write_bytes((codec_folder / name).read_bytes())
    elif (codec_folder / "tokenizer.json").is_file():
        assert isinstance(eos_id, int)
        _write_tokenizer(codec_folder / "tokenizer.json", out=out, bos_id=bos_id, eos_id=eos_id)
    return tuple(sorted(path for path in out.iterdir() if path.is_file()))


def hf_config(config: TransformerConfig, *, vocab_size: int, context_tokens: int) -> dict[str, Any]:
    """The settings of the Hugging Face class that has this layout."""
    d, layers, heads, kv_heads, d_ff = config.shape()
    model_type, architecture = ARCHITECTURES[config.qk_norm, bool(config.num_experts)]
    settings: dict[str, Any] = {
        "model_type": model_type,
        "architectures": [architecture],
        "dtype": "float32",
        "vocab_size": vocab_size,
        "hidden_size": d,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": d // heads,
        "intermediate_size": d_ff,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": context_tokens,
        "tie_word_embeddings": config.tied_head,
        "attention_bias": False,
    }
    return settings | (_expert_settings(config) if config.num_experts else {})


def _expert_settings(config: TransformerConfig) -> dict[str, Any]:
    per_token = min(config.num_experts_per_token, config.num_experts)
    settings: dict[str, Any] = {"num_experts_per_tok": per_token, "sliding_window": None}
    if not config.qk_norm:
        return settings | {"num_local_experts": config.num_experts}
    return settings | {
        "num_experts": config.num_experts,
        "moe_intermediate_size": config.d_ff,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    }


def hf_tensors(net: Transformer) -> dict[str, Tensor]:
    """The weights under their Hugging Face names."""
    mixtral = bool(net.config.num_experts) and not net.config.qk_norm
    tensors = {}
    for name, value in net.state_dict().items():
        target = name if name.startswith("lm_head") else f"model.{name}"
        tensors[_mixtral_name(target) if mixtral else target] = value.detach().float().contiguous().cpu()
    return tensors


def _mixtral_name(name: str) -> str:
    name = name.replace(".mlp.", ".block_sparse_moe.")
    if ".experts." in name:
        for ours, theirs in MIXTRAL_EXPERT.items():
            name = name.replace(ours, theirs)
    return name


def _write_tokenizer(source: Path, *, out: Path, bos_id: int, eos_id: int) -> None:
    tokenizer = json.loads(source.read_text(encoding="utf-8"))
    names = {entry["id"]: entry["content"] for entry in tokenizer["added_tokens"]}
    begin = {"id": names[bos_id], "ids": [bos_id], "tokens": [names[bos_id]]}
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": names[bos_id], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {names[bos_id]: begin},
    }
    earlier = tokenizer.get("post_processor")
    tokenizer["post_processor"] = (
        {"type": "Sequence", "processors": [earlier, template]} if earlier is not None else template
    )
    _write_json(out / "tokenizer.json", tokenizer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": names[bos_id],
        "eos_token": names[eos_id],
        "clean_up_tokenization_spaces": False,
    }
    _write_json(out / "tokenizer_config.json", settings)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
