"""The tokenizer that came with a pretrained model, its marks, and its chat template."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from genwright.core import CapabilityError
from genwright.core.digest import canonical_json
from genwright.modalities.text.chat import Message, render
from genwright.modalities.text.saving import byte_of_character, read_description

TEMPLATE = "chat_template.jinja"
FIELDS = ("kind", "representation", "vocab_size", "bos_id", "eos_id", "pad_id", "stop_ids", "marks")


class PretrainedCodec:
    """Texts to the tokens of a model's own tokenizer and back. A mark spelled in a text stays text.

    `bos_id` and `eos_id` stand before and behind a text; `stop_ids` end an answer. `vocab_size` is the model's, which
    may hold more ids than the tokenizer makes. `marks` are the names of special tokens that the template may use.
    """

    kind = "pretrained"
    representation = "tokens"

    def __init__(
        self,
        tokenizer: Tokenizer,
        /,
        *,
        vocab_size: int,
        bos_id: int,
        eos_id: int,
        stop_ids: Sequence[int],
        marks: dict[str, str],
        template: str | None,
    ) -> None:
        self._tokenizer, self._marking = tokenizer, Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.encode_special_tokens, self._marking.encode_special_tokens = True, False
        self.vocab_size, self.bos_id, self.eos_id, self.pad_id = vocab_size, bos_id, eos_id, eos_id
        self.stop_ids, self.marks, self.template = tuple(stop_ids), marks, template
        added = tokenizer.get_added_tokens_decoder()
        self._special = {number: token.content for number, token in added.items() if token.special}
        decoder = json.loads(tokenizer.to_str()).get("decoder") or {}
        self._by_bytes = decoder.get("type") == "ByteLevel"
        self._dtype = np.uint16 if vocab_size <= 1 << 16 else np.int32

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """The codec saved in `folder`."""
        found = read_description(folder, kind=cls.kind)
        template = folder / TEMPLATE
        return cls(
            Tokenizer.from_file(str(folder / "tokenizer.json")),
            vocab_size=found["vocab_size"],
            bos_id=found["bos_id"],
            eos_id=found["eos_id"],
            stop_ids=found["stop_ids"],
            marks=found["marks"],
            template=template.read_text(encoding="utf-8") if template.is_file() else None,
        )

    def save(self, folder: Path, /) -> None:
        """Writes `codec.json`, `tokenizer.json`, its settings for `transformers`, and the chat template."""
        description = {"format": 1, **{field: getattr(self, field) for field in FIELDS}}
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **self.marks}
        (folder / "codec.json").write_bytes(canonical_json(description))
        (folder / "tokenizer.json").write_text(self._tokenizer.to_str(pretty=False), encoding="utf-8")
        (folder / "tokenizer_config.json").write_bytes(canonical_json(settings))
        if self.template is not None:
            (folder / TEMPLATE).write_text(self.template, encoding="utf-8")

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
        if token in self._special:
            return b""
        if not self._by_bytes:
            return self.decode([[token]])[0].encode()
        table = byte_of_character()
        return bytes(table[character] for character in self._tokenizer.id_to_token(token) or "")

    def encode_chat(self, messages: Sequence[Message], /) -> tuple[int, ...]:
        """The tokens of a chat, by the model's own template, up to where the answer begins.

        Where a message spells a special token, that is text: what is said can end no turn and open none.

        Raises:
            CapabilityError: the model has no template.
            DataError: the template does not take these messages.
        """
        if self.template is None:
            raise CapabilityError("this model has no chat template", hint="ask for completions instead")
        if not any(mark in message["content"] for message in messages for mark in self._special.values()):
            return self._with_marks(render(self.template, messages=messages, marks=self.marks))
        ids: list[int] = []
        for piece, is_said in self._pieces(messages):
            ids += [int(token) for token in self.encode([piece])[0]] if is_said else self._with_marks(piece)
        return tuple(ids)

    def encode_answered(self, messages: Sequence[Message], /) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tokens of all but the last message as `encode_chat` gives them, and of the answer with what ends it.

        Raises:
            CapabilityError: the model has no template.
            DataError: the template does not take these messages.
        """
        *before, answer = messages
        question = self.encode_chat(before)
        said = [int(token) for token in self.encode([answer["content"]])[0]]
        return question, (*said, *self._closing(messages))

    def _closing(self, messages: Sequence[Message]) -> list[int]:
        """What the template writes behind an answer, up to the mark that stops it; where it has none, that mark."""
        last, is_said = self._pieces(messages, add_generation_prompt=False)[-1]
        found: list[int] = []
        for token in self._with_marks("" if is_said else last):
            found.append(token)
            if token in self.stop_ids:
                return found
        return [self.stop_ids[0] if self.stop_ids else self.eos_id]

    def _pieces(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> list[tuple[str, bool]]:
        """The rendered template cut where what was said begins and ends, in order."""
        keys = [f"said-{secrets.token_hex(16)}" for _ in messages]
        said = {key: message["content"] for key, message in zip(keys, messages, strict=True)}
        held = [{**message, "content": key} for key, message in zip(keys, messages, strict=True)]
        assert self.template is not None
        left = render(self.template, messages=held, marks=self.marks, add_generation_prompt=add_generation_prompt)
        found: list[tuple[str, bool]] = []
        while left:
            place, key = min(((left.find(key), key) for key in said if key in left), default=(-1, ""))
            if place < 0:
                return [*found, (left, False)]
            found += [(left[:place], False), (said[key], True)]
            left = left[place + len(key) :]
        return found

    def _with_marks(self, text: str) -> tuple[int, ...]:
        return tuple(self._marking.encode(text, add_special_tokens=False).ids)
