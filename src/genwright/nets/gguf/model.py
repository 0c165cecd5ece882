"""A causal transformer with its tokenizer as one GGUF file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from genwright.core import CapabilityError
from genwright.nets.config import TransformerConfig
from genwright.nets.gguf.file import GgufFile, StoredTensor, Value, read_file, write_file
from genwright.nets.gguf.layout import (
    ARCHITECTURES,
    INTERLEAVED,
    as_float32,
    check_whole,
    fields_of,
    in_halves,
    interleaved,
    our_name,
    settings_of,
    their_name,
)
from genwright.nets.gguf.numbers import dequantised, quantised
from genwright.nets.gguf.types import FILE_TYPES, FileType, quantisation_for
from genwright.nets.gguf.vocabulary import fields_of as tokenizer_fields
from genwright.nets.gguf.vocabulary import mark_fields, tokenizer_of
from genwright.nets.hf import transformer_config

UINT32, STRING = 4, 8
QUANTISATION_VERSION = 2


@dataclass(frozen=True)
class GgufModel:
    """What a file holds: settings as in a `config.json`, the net and its tensors, and the tokenizer with its marks.

    `tokenizer` is None where it is of a kind that is not read here; `stop_ids` end an answer.
    """

    settings: Mapping[str, Any]
    net: TransformerConfig
    tensors: Mapping[str, Tensor]
    tokenizer: Tokenizer | None
    marks: Mapping[str, str]
    stop_ids: tuple[int, ...]
    template: str | None


def read_model(path: Path, /) -> GgufModel:
    """The model in that file, its weights in float32.

    Raises:
        DataError: the file is broken.
        CapabilityError: the model computes what the net does not.
    """
    file = read_file(path)
    settings = settings_of(file)
    if settings["model_type"] in ARCHITECTURES.values():
        check_whole(settings)
    net = transformer_config(settings)
    tensors = {our_name(name): tensor for name, tensor in _torch_tensors(file, settings)}
    return GgufModel(
        settings, net, tensors, tokenizer_of(file), _marks(file), _stops(file), file.get("tokenizer.chat_template")
    )


def _torch_tensors(file: GgufFile, settings: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    heads = {"attn_q.weight": settings["num_attention_heads"], "attn_k.weight": settings["num_key_value_heads"]}
    for name, stored in file.tensors.items():
        value = torch.from_numpy(dequantised(stored))
        if settings["model_type"] == "llama" and name.endswith(INTERLEAVED):
            value = in_halves(value, num_heads=heads[name.split(".", 2)[2]])
        yield name, value


def _marks(file: GgufFile) -> dict[str, str]:
    """The names of special tokens, under the names that templates use."""
    names = file.get("tokenizer.ggml.tokens", [])
    places = {
        "bos_token": file.get("tokenizer.ggml.bos_token_id"),
        "eos_token": file.get("tokenizer.ggml.eos_token_id"),
        "pad_token": file.get("tokenizer.ggml.padding_token_id"),
        "unk_token": file.get("tokenizer.ggml.unknown_token_id"),
    }
    return {mark: names[place] for mark, place in places.items() if place is not None and place < len(names)}


def _stops(file: GgufFile) -> tuple[int, ...]:
    found = (file.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot"))
    return tuple(sorted({int(place) for place in found if place is not None}))


def write_model(
    net: Any,
    /,
    *,
    codec_folder: Path,
    out: Path,
    file_type: FileType,
    context_tokens: int,
    bos_id: int,
    eos_ids: Sequence[int],
    as_it_came: bool = False,
    name: str = "model",
) -> None:
    """Writes a file that llama.cpp loads, with the same greedy tokens in "f32".

    `eos_ids` end an answer, the first of them a text. `as_it_came` says that the tokenizer belongs to a pretrained
    model: its template writes the begin mark, where there is one.

    Raises:
        CapabilityError: the net or its tokenizer has no layout there.
    """
    config = getattr(net, "config", None)
    if not isinstance(config, TransformerConfig):
        raise CapabilityError(
            f"a {type(net).__name__} net has no GGUF layout; the transformer has", hint="net = 'transformer'"
        )
    tokenizer, template = codec_folder / "tokenizer.json", codec_folder / "chat_template.jinja"
    text = template.read_text(encoding="utf-8") if template.is_file() else None
    fields = fields_of(config, vocab_size=net.vocab_size, context_tokens=context_tokens)
    fields |= {
        "general.name": Value(STRING, name),
        "general.file_type": Value(UINT32, FILE_TYPES[file_type][0]),
        "general.quantization_version": Value(UINT32, QUANTISATION_VERSION),
    }
    fields |= tokenizer_fields(json.loads(tokenizer.read_text(encoding="utf-8")), vocab_size=net.vocab_size)
    fields |= mark_fields(begin=bos_id, ends=eos_ids, adds_begin=not as_it_came, template=text)
    write_file(out, GgufFile(fields, dict(_stored(net.state_dict(), config, file_type))))


def _stored(
    tensors: Mapping[str, Tensor], config: TransformerConfig, file_type: FileType
) -> Iterator[tuple[str, StoredTensor]]:
    _, num_layers, heads, kv_heads, _ = config.shape()
    for ours, weight in tensors.items():
        name, value = their_name(ours), as_float32(weight)
        if not config.qk_norm and name.endswith(INTERLEAVED):
            value = interleaved(value, num_heads=heads if name.endswith("attn_q.weight") else kv_heads)
        kind = quantisation_for(name, value.shape, file_type=file_type, num_layers=num_layers)
        yield name, quantised(value.numpy(), kind, name=name)
