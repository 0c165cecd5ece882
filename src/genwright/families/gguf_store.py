"""A language model kept as a GGUF file: what llama.cpp serves, and what the family here computes with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genwright.core.protocols import TokenShape
from genwright.families.store import GGUF, write_description
from genwright.nets.gguf import FileType, write_model

__all__ = ["FileType", "save_gguf_family", "write_gguf"]


def write_gguf(family: Any, /, *, codec_folder: Path, out: Path, file_type: FileType, name: str = "model") -> None:
    """Writes the family's net with its tokenizer as one GGUF file.

    Raises:
        CapabilityError: the net or the tokenizer has no layout there.
    """
    begin, ends, as_it_came = _marks(codec_folder, family.shape)
    write_model(
        family.net,
        codec_folder=codec_folder,
        out=out,
        file_type=file_type,
        context_tokens=family.shape.context_tokens,
        bos_id=begin,
        eos_ids=ends,
        as_it_came=as_it_came,
        name=name,
    )


def save_gguf_family(
    folder: Path, /, *, family: Any, codec_folder: Path, file_type: FileType, facts: Mapping[str, Any]
) -> None:
    """A model's folder with `model.gguf` in place of safetensors; `load_family` reads it, in float32.

    Raises:
        CapabilityError: the net or the tokenizer has no layout there.
    """
    write_description(folder, config=family.config, shape=family.shape, facts={**facts, "file_type": file_type})
    write_gguf(family, codec_folder=codec_folder, out=folder / GGUF, file_type=file_type)


def _marks(codec_folder: Path, shape: TokenShape) -> tuple[int, tuple[int, ...], bool]:
    """What begins a text, what ends one (the first) or an answer, and whether the tokenizer came with a model."""
    described = json.loads((codec_folder / "codec.json").read_text(encoding="utf-8"))
    stops = described.get("stop_ids")
    if stops is None:
        return shape.bos_id, (shape.eos_id,), False
    names = {token["content"]: token["id"] for token in _tokenizer(codec_folder)["added_tokens"]}
    marks = {name: names[mark] for name, mark in described["marks"].items() if mark in names}
    end = marks.get("eos_token", shape.eos_id)
    return marks.get("bos_token", shape.bos_id), (end, *(stop for stop in stops if stop != end)), True


def _tokenizer(codec_folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((codec_folder / "tokenizer.json").read_text(encoding="utf-8"))
    return found
