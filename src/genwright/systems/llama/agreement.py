"""What a GGUF file says of its tokenizer beside the codec that writes its prompts."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from genwright.core.protocols import Codec
from genwright.nets.gguf import read_file


def compare_marks(file: Path, /, *, codec: Codec, codec_folder: Path) -> dict[str, bool]:
    """Whether the chat template, the tokens and the tokens that end an answer are the same on both sides."""
    found = read_file(file)
    tokenizer = Tokenizer.from_file(str(codec_folder / "tokenizer.json"))
    names = found.get("tokenizer.ggml.tokens", [])
    ours = [tokenizer.id_to_token(place) for place in range(len(names))]
    ends = {found.get(f"tokenizer.ggml.{mark}_token_id") for mark in ("eos", "eot")} - {None}
    return {
        "template": found.get("tokenizer.chat_template") == getattr(codec, "template", None),
        "tokens": all(mine is None or mine == theirs for mine, theirs in zip(ours, names, strict=True)),
        "ends": ends <= {codec.eos_id, *getattr(codec, "stop_ids", ())},
    }
