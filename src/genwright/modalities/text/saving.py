"""The files of a text codec: its description, and the tokenizer that Hugging Face libraries load."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from genwright.core import DataError
from genwright.core.digest import canonical_json

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"


class Described(Protocol):
    """What a description needs of a codec."""

    kind: str
    representation: str
    vocab_size: int
    bos_id: int
    eos_id: int
    pad_id: int


def write_codec(folder: Path, *, codec: Described, tokenizer_json: str) -> None:
    """Fills `folder` with `codec.json`, `tokenizer.json` and `tokenizer_config.json`, the same bytes each time."""
    fields = ("kind", "representation", "vocab_size", "bos_id", "eos_id", "pad_id")
    description = {"format": 1, **{field: getattr(codec, field) for field in fields}}
    marks = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **marks}
    (folder / "codec.json").write_bytes(canonical_json(description))
    (folder / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    (folder / "tokenizer_config.json").write_bytes(canonical_json(settings))


def read_description(folder: Path, *, kind: str) -> dict[str, Any]:
    """The content of `codec.json`.

    Raises:
        DataError: the folder holds another kind of codec, or a later format.
    """
    description: dict[str, Any] = json.loads((folder / "codec.json").read_bytes())
    if description.get("kind") != kind or description.get("format") != 1:
        raise DataError(
            f"{folder}/codec.json describes kind {description.get('kind')!r} in format {description.get('format')!r}, "
            f"not kind {kind!r} in format 1",
            hint="load it with genwright.modalities.load_codec, or with the version that wrote it",
        )
    return description


@cache
def byte_of_character() -> dict[str, int]:
    """The byte behind each character of a byte-level vocabulary.

    Source: Radford et al. 2019 (GPT-2): printable Latin-1 stands for itself, the rest is moved above U+0100.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return table
