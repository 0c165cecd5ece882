"""Bytes as tokens: nothing to fit, nothing lost."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from genwright.modalities.text.config import BytesConfig
from genwright.modalities.text.saving import BOS, EOS, PAD, byte_of_character, read_description, write_codec


class BytesCodec:
    """Token `b` is the byte `b`; three marks follow the 256 bytes."""

    kind = "bytes"
    representation = "tokens"
    vocab_size = 259
    bos_id, eos_id, pad_id = 256, 257, 258

    @classmethod
    def fit(cls, config: BytesConfig, *, texts: Iterable[str]) -> Self:
        """The codec; `texts` is not read."""
        del config, texts
        return cls()

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """The codec saved in `folder`."""
        read_description(folder, kind=cls.kind)
        return cls()

    def save(self, folder: Path, /) -> None:
        """Writes `codec.json`, and the same mapping as a tokenizer that `transformers` loads."""
        write_codec(folder, codec=self, tokenizer_json=_tokenizer_json())

    def encode(self, samples: Sequence[str], /) -> list[np.ndarray]:
        """One array of byte values per text."""
        return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16) for text in samples]

    def decode(self, arrays: Sequence[Sequence[int]], /) -> list[str]:
        """The texts; marks are left out, and bytes that are no UTF-8 become U+FFFD."""
        return [bytes(int(b) for b in array if b < 256).decode(errors="replace") for array in arrays]

    def token_bytes(self, token: int, /) -> bytes:
        """The byte that a token stands for; empty for marks."""
        return bytes([token]) if token < 256 else b""


def _tokenizer_json() -> str:
    """A BPE without merges over the byte-level alphabet, in the file format of the `tokenizers` library."""
    vocabulary = dict(byte_of_character())
    marks = [
        {
            "id": place,
            "content": mark,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for place, mark in enumerate((BOS, EOS, PAD), start=256)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {
        "type": "BPE",
        "vocab": vocabulary,
        "merges": [],
        "ignore_merges": False,
        "fuse_unk": False,
        "byte_fallback": False,
    }
    content = {"version": "1.0", "added_tokens": marks, "pre_tokenizer": level, "decoder": level, "model": model}
    whole = {"truncation": None, "padding": None, "normalizer": None, "post_processor": None, **content}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True)
