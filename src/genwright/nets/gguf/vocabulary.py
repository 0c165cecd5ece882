"""A tokenizer as fields of a GGUF file, and back. Byte-level BPE only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from genwright.core import CapabilityError
from genwright.nets.gguf.file import ARRAY, BOOL, STRING, GgufFile, Value

UINT32, INT32 = 4, 5
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
Pieces = tuple[tuple[str, str | bool], ...]
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# How texts are cut before pairs are merged, under llama.cpp's names (`llama-vocab.cpp`).
CUTS: dict[str, Pieces] = {
    "smollm": (("Digits", True), ("ByteLevel", True)),
    "gpt-2": (("ByteLevel", True),),
    "qwen2": (("Split", WORDS + r"\p{N}" + SIGNS), ("ByteLevel", False)),
    "llama-bpe": (("Split", WORDS + r"\p{N}{1,3}" + SIGNS), ("ByteLevel", False)),
}
NORMALISED = ("qwen2",)  # to NFC
IGNORES_MERGES = ("llama-bpe",)


def fields_of(tokenizer: Mapping[str, Any], /, *, vocab_size: int) -> dict[str, Value]:
    """The fields of a `tokenizer.json`.

    Raises:
        CapabilityError: llama.cpp does not cut texts as this tokenizer does.
    """
    model = tokenizer["model"]
    names: list[str] = [f"[PAD{place}]" for place in range(vocab_size)]
    kinds = [UNUSED] * vocab_size
    for token, place in model["vocab"].items():
        names[place], kinds[place] = token, NORMAL
    for added in tokenizer.get("added_tokens", ()):
        names[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model.get("merges", ())]
    return {
        "tokenizer.ggml.model": Value(STRING, "gpt2"),
        "tokenizer.ggml.pre": Value(STRING, _cut(tokenizer, merges)),
        "tokenizer.ggml.tokens": Value(ARRAY, names, STRING),
        "tokenizer.ggml.token_type": Value(ARRAY, kinds, INT32),
        "tokenizer.ggml.merges": Value(ARRAY, merges, STRING),
        "tokenizer.ggml.add_space_prefix": Value(BOOL, content=False),
    }


def _cut(tokenizer: Mapping[str, Any], merges: Sequence[str]) -> str:
    pieces = _pieces(tokenizer.get("pre_tokenizer") or {})
    if tokenizer["model"]["type"] == "BPE" and not merges and pieces[-1:] in ((("ByteLevel", True),), _UNCUT):
        return "gpt-2"  # without merges no cut changes anything
    found = [name for name, cut in CUTS.items() if cut == pieces]
    if tokenizer["model"]["type"] != "BPE" or not found:
        raise CapabilityError(
            "llama.cpp has no name for the way this tokenizer cuts texts, so a GGUF file would read them otherwise",
            hint='fit.codec = { kind = "bpe", cut = "gpt-2" } cuts as llama.cpp can, and --format hf takes any',
        )
    return found[0]


_UNCUT: Pieces = (("ByteLevel", False),)


def _pieces(step: Mapping[str, Any]) -> Pieces:
    kind = step.get("type")
    if kind == "Sequence":
        return tuple(piece for one in step["pretokenizers"] for piece in _pieces(one))
    if kind == "Digits":
        return ((kind, bool(step["individual_digits"])),)
    if kind == "Split":
        return ((kind, str(step["pattern"].get("Regex"))),)
    if kind == "ByteLevel" and not step["add_prefix_space"]:
        return ((kind, bool(step["use_regex"])),)
    return ((str(kind), json.dumps(step, sort_keys=True)),)


def tokenizer_of(file: GgufFile, /) -> Tokenizer | None:
    """The tokenizer that a file holds; None where it is of another kind than is written here."""
    cut = CUTS.get(str(file.get("tokenizer.ggml.pre")))
    if file.get("tokenizer.ggml.model") != "gpt2" or cut is None:
        return None
    names, kinds = file.get("tokenizer.ggml.tokens"), file.get("tokenizer.ggml.token_type")
    pre = str(file.get("tokenizer.ggml.pre"))
    added = [
        {**PLAIN_TOKEN, "id": place, "content": name, "special": kind == CONTROL}
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    vocabulary = {name: place for place, (name, kind) in enumerate(zip(names, kinds, strict=True)) if kind != UNUSED}
    body = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "NFC"} if pre in NORMALISED else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_step(*piece) for piece in cut]},
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": file.get("tokenizer.ggml.merges"),
            "ignore_merges": pre in IGNORES_MERGES,
        },
    }
    return Tokenizer.from_str(json.dumps(body))


PLAIN_TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def _step(kind: str, how: str | bool) -> dict[str, Any]:
    if kind == "Split":
        return {"type": kind, "pattern": {"Regex": how}, "behavior": "Isolated", "invert": False}
    if kind == "Digits":
        return {"type": kind, "individual_digits": how}
    return {**BYTE_LEVEL, "use_regex": how}


def mark_fields(*, begin: int, ends: Sequence[int], adds_begin: bool, template: str | None) -> dict[str, Value]:
    """The fields of the marks that begin and end texts, and the chat template."""
    marks = {"bos": begin, "eos": ends[0], "padding": ends[0]} | ({"eot": ends[1]} if len(ends) > 1 else {})
    fields = {f"tokenizer.ggml.{name}_token_id": Value(UINT32, place) for name, place in marks.items()}
    fields["tokenizer.ggml.add_bos_token"] = Value(BOOL, adds_begin)
    return fields | ({"tokenizer.chat_template": Value(STRING, template)} if template is not None else {})
