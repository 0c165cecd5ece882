"""Cross-encoders: a question and a text read together, computed by `transformers`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

import torch
from tokenizers import Encoding
from torch import Tensor

from genwright.core import CapabilityError, DataError
from genwright.nets.encoder.layout import EncoderLayout, read_layout
from genwright.nets.encoder.other import pretrained
from genwright.nets.encoder.sentence import batches, read_tokenizer
from genwright.nets.precision import fast_precision


class CrossEncoder:
    """How well texts answer a question, 0 to 1. But for rounding, what is read beside a text does not matter.

    What does not fit into the window of a question with its text is cut off the text.
    """

    def __init__(self, layout: EncoderLayout, /, *, device: str = "cpu") -> None:
        self._device = device
        self._tokenizer = read_tokenizer(layout)
        dtype = getattr(torch, fast_precision(device))
        self._model, missing = pretrained("AutoModelForSequenceClassification", layout, dtype=dtype, device=device)
        if missing:
            raise DataError(
                f"{layout.folder} has no weights for {', '.join(sorted(missing))}",
                hint="give a cross-encoder that was trained as one",
            )
        if self._model.config.num_labels != 1:
            raise CapabilityError(
                f"{layout.folder} tells {self._model.config.num_labels} classes apart, and a reranker gives one number",
                hint="choose a cross-encoder with one output",
            )
        num_special = self._tokenizer.num_special_tokens_to_add(True)
        if num_special < self._tokenizer.num_special_tokens_to_add(False):
            raise CapabilityError(
                f"the tokenizer in {layout.folder} does not say how two texts are put together",
                hint="save the cross-encoder with the tokenizer that it was trained with",
            )
        self._room = layout.window_tokens - num_special
        if self._room < 2:
            raise CapabilityError(
                f"{layout.folder} reads {layout.window_tokens} tokens, {num_special} of them its own: "
                "no question fits in",
                hint="look at model_max_length in its tokenizer_config.json",
            )
        if self._model.config.pad_token_id is None:
            self._model.config.pad_token_id = 0  # texts of one length go together, so nothing is padded

    @classmethod
    def load(cls, folder: Path, /, *, device: str = "cpu") -> Self:
        """The cross-encoder in a folder of `sentence-transformers` or `transformers`, or of an artifact.

        Raises:
            DataError: files are missing or broken.
            CapabilityError: it does not give one number.
        """
        return cls(read_layout(folder), device=device)

    def __call__(self, question: str, texts: Sequence[str], /) -> list[float]:
        """How well each text answers the question."""
        pairs = [self._pair(question, text) for text in texts]
        lengths = [len(one.ids) for one in pairs]
        found = [0.0] * len(pairs)
        for batch in batches(lengths):
            for _, run in groupby(batch, key=lambda at: lengths[at]):
                places = list(run)
                for at, value in zip(places, self._scores([pairs[at] for at in places]).tolist(), strict=True):
                    found[at] = value
        return found

    def _pair(self, question: str, text: str) -> Encoding:
        asked, read = (self._tokenizer.encode(one, add_special_tokens=False) for one in (question, text))
        asked.truncate(self._room // 2)
        read.truncate(self._room - len(asked.ids))
        pair: Encoding = self._tokenizer.post_process(asked, read)
        return pair

    @torch.inference_mode()
    def _scores(self, pairs: Sequence[Encoding]) -> Tensor:
        """Of pairs of one length."""
        ids, kinds = (
            torch.tensor([getattr(one, name) for one in pairs], device=self._device) for name in ("ids", "type_ids")
        )
        kinds_too = {"token_type_ids": kinds} if getattr(self._model.config, "type_vocab_size", 0) > 1 else {}
        logits = self._model(input_ids=ids, attention_mask=torch.ones_like(ids), **kinds_too).logits
        return torch.sigmoid(logits.float()[:, 0])
