"""Byte-level BPE by the `tokenizers` library; a fast tokenizer that `transformers` loads."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from genwright.modalities.text.config import BpeConfig
from genwright.modalities.text.saving import BOS, EOS, PAD, byte_of_character, read_description, write_codec


class BpeCodec:
    """Texts to byte-pair tokens and back, exactly: nothing is normalised, and a mark spelled in a text stays text."""

    kind = "bpe"
    representation = "tokens"

    def __init__(self, tokenizer: Tokenizer, /) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self.vocab_size: int = tokenizer.get_vocab_size(with_added_tokens=True)
        self.bos_id, self.eos_id, self.pad_id = (int(tokenizer.token_to_id(mark) or 0) for mark in (BOS, EOS, PAD))
        self._dtype = np.uint16 if self.vocab_size <= 1 << 16 else np.int32

    @classmethod
    def fit(cls, config: BpeConfig, *, texts: Iterable[str]) -> Self:
        """The BPE of `texts`, read once as a stream; the same texts give the same bytes, whatever the thread count."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = _cuts(config)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=config.vocab_size,
            min_frequency=config.min_frequency,
            max_token_length=config.max_token_characters,
            special_tokens=[BOS, EOS, PAD],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """The codec saved in `folder`."""
        read_description(folder, kind=cls.kind)
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    def save(self, folder: Path, /) -> None:
        """Writes `codec.json`, `tokenizer.json` and what `transformers` needs beside it."""
        write_codec(folder, codec=self, tokenizer_json=self._tokenizer.to_str(pretty=False))

    def encode(self, samples: Sequence[str], /) -> list[np.ndarray]:
        """One array of token ids per text, without marks."""
        encodings = self._tokenizer.encode_batch_fast(list(samples), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=self._dtype) for encoding in encodings]

    def decode(self, arrays: Sequence[Sequence[int]], /) -> list[str]:
        """The texts; marks are left out, and bytes that are no UTF-8 become U+FFFD."""
        ids = [list(array) for array in arrays]
        return [str(text) for text in self._tokenizer.decode_batch(ids, skip_special_tokens=True)]

    def token_bytes(self, token: int, /) -> bytes:
        """The bytes that a token stands for; empty for marks."""
        if token in (self.bos_id, self.eos_id, self.pad_id):
            return b""
        return bytes(byte_of_character()[character] for character in self._tokenizer.id_to_token(token) or "")


def _cuts(config: BpeConfig) -> pre_tokenizers.PreTokenizer:
    if config.cut == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split_pattern(config.max_digits)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def split_pattern(max_digits: int, /) -> str:
    """The regular expression whose matches bound the tokens.

    Letters take one leading space or sign; digits go in short runs; a line break takes the indentation of the next
    line, all but its last blank, so that a level of indentation is one token and the word behind it keeps the form
    it has inside a line. Signs do not take the line break that follows: a prompt that ends in `:` would then end
    in a token that the model has hardly seen (measured: 4 % more bytes per token on code is what this costs).
    """
    letters = r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
    digits = rf"\p{{N}}{{1,{max_digits}}}"
    signs = r" ?[^\s\p{L}\p{N}]+"
    breaks = r"\s*[\r\n]+[ \t]*(?=[ \t])|\s*[\r\n]+"
    blanks = r"\s+(?!\S)|\s+"
    return "|".join((letters, digits, signs, breaks, blanks))
