"""What was read: a model of `transformers`, its tokenizer, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genwright.core import DataError, load_reference
from genwright.nets.gguf import GgufModel, read_model
from genwright.nets.hf import PREFIX


@dataclass(frozen=True)
class Loaded:
    """What the library made of the files."""

    model: Any
    tokenizer: Any
    settings: Mapping[str, Any]


def from_gguf(path: Path, /) -> Loaded:
    """The model in a GGUF file: its tensors are read directly, into a model of `transformers` to compare with.

    Raises:
        DataError: the file is broken.
        CapabilityError: the model computes what the net does not.
    """
    found = read_model(path)
    configs = load_reference("transformers:AutoConfig", extra="pretrained")
    auto = load_reference("transformers:AutoModelForCausalLM", extra="pretrained")
    settings = {name: value for name, value in found.settings.items() if name != "rope_scaling"}
    rope = {"rope_theta": settings["rope_theta"], "rope_type": "default"}
    config = configs.for_model(**settings, rope_parameters=rope, dtype="float32")
    with torch.device("meta"):
        model = auto.from_config(config)
    tensors = {name if name.startswith("lm_head") else PREFIX + name: value for name, value in found.tensors.items()}
    if found.net.tied_head:
        tensors["lm_head.weight"] = tensors[f"{PREFIX}embed_tokens.weight"]
    left = model.load_state_dict(tensors, strict=False, assign=True)
    if left.missing_keys or left.unexpected_keys:
        raise DataError(f"{path.name} lacks tensors of its model: {', '.join(left.missing_keys[:3])}")
    _fill_buffers(model, config)
    model.generation_config.eos_token_id = list(found.stop_ids)
    return Loaded(model.eval(), _tokenizer(found, path), found.settings)


def _fill_buffers(model: Any, config: Any) -> None:
    """Rotary tables are no weights: they are computed anew, off the meta device."""
    for module in model.modules():
        if hasattr(module, "inv_freq"):
            module.__init__(config)


def _tokenizer(found: GgufModel, path: Path) -> Any:
    """As `transformers` wraps it; a kind that is not read here is left to that library."""
    if found.tokenizer is None:
        tokenizers = load_reference("transformers:AutoTokenizer", extra="pretrained")
        return tokenizers.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    fast = load_reference("transformers:PreTrainedTokenizerFast", extra="pretrained")
    return fast(tokenizer_object=found.tokenizer, chat_template=found.template, **found.marks)
