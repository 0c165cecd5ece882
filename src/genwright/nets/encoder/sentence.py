"""A sentence encoder on this machine: tokens, net, pooling, unit vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn import functional

from genwright.core import DataError, load_reference
from genwright.core.digest import file_digest, json_digest
from genwright.nets.encoder.bert import Bert
from genwright.nets.encoder.layout import CONFIG, TOKENIZER, EncoderLayout, read_layout
from genwright.nets.encoder.load import Precision
from genwright.nets.encoder.protocol import Matrix, Role, TokenVectors
from genwright.nets.precision import fast_precision

Net = Callable[[Sequence[Sequence[int]]], list[Tensor]]
BATCH_TOKENS = 2048  # larger batches leave the cache of a core


class SentenceEncoder:
    """Unit vectors of texts. A text's vector is the same to the bit whatever is embedded beside it (on CPU).

    `truncated_tokens` counts the tokens beyond the window that were left out.
    """

    def __init__(self, layout: EncoderLayout, /, *, precision: Precision = "auto", device: str = "cpu") -> None:
        if precision == "auto":
            precision = fast_precision(device)
        self.layout, self.device = layout, device
        self.precision: str = precision
        self.window_tokens, self.d = layout.window_tokens, layout.d
        self.truncated_tokens = 0
        self._tokenizer = read_tokenizer(layout)
        self.num_special = self._tokenizer.num_special_tokens_to_add(False)
        self._net = _net(layout, precision, device)
        self.identity = _identity(layout)
        self._prefixes = {"query": layout.query_prefix, "document": layout.document_prefix}

    @classmethod
    def load(cls, folder: Path, /, *, precision: Precision = "auto", device: str = "cpu") -> Self:
        """The encoder in a folder.

        Raises:
            DataError: files are missing or broken.
            CapabilityError: it computes what is not computed here.
        """
        return cls(read_layout(folder), precision=precision, device=device)

    def count(self, text: str, /) -> int:
        """How many tokens a text has, marks not counted."""
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)

    def cut(self, text: str, /) -> tuple[str, int]:
        """The beginning of a question that fits into the window, and how many tokens were left out."""
        room = self.window_tokens - self.num_special - self.count(self.layout.query_prefix)
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= room:
            return text, 0
        return text[: encoding.offsets[room - 1][1]], len(encoding.ids) - room

    def embed(self, texts: Sequence[str], /, *, role: Role = "document") -> Matrix:
        """Float32, a row per text; what is longer than the window is cut, and counted."""
        out = np.zeros((len(texts), self.d), dtype=np.float32)
        ids = [one.ids for one in self._encoded([self._prefixes[role] + text for text in texts])]
        for batch in batches([len(one) for one in ids]):
            hidden = self._net([ids[at] for at in batch])
            pooled = torch.stack([_pooled(states, self.layout.pooling) for states in hidden])
            out[batch] = functional.normalize(pooled, dim=-1).cpu().numpy()
        return out

    def tokens(self, texts: Sequence[str], /, *, role: Role = "document") -> list[TokenVectors]:
        """The last hidden states of each text, marks and prefix left out; what is longer than the window is cut."""
        prefix = self._prefixes[role]
        encoded = self._encoded([prefix + text for text in texts], with_spans=True)
        ids = [one.ids for one in encoded]
        found: dict[int, TokenVectors] = {}
        for batch in batches([len(one) for one in ids]):
            for at, states in zip(batch, self._net([ids[at] for at in batch]), strict=True):
                spans = np.array(encoded[at].offsets, dtype=np.int64) - len(prefix)
                own = (spans[:, 1] > spans[:, 0]) & (spans[:, 0] >= 0)
                vectors = functional.normalize(states, dim=-1).cpu().numpy()
                found[at] = TokenVectors(vectors[own], spans[own])
        return [found[at] for at in range(len(ids))]

    def _encoded(self, texts: Sequence[str], *, with_spans: bool = False) -> list[Encoding]:
        room = self.window_tokens - self.num_special
        found: list[Encoding] = []
        encode = (
            self._tokenizer.encode_batch if with_spans else self._tokenizer.encode_batch_fast
        )  # the fast one has none
        for encoding in encode(list(texts), add_special_tokens=False):
            self.truncated_tokens += max(0, len(encoding.ids) - room)
            encoding.truncate(room)
            marked: Encoding = self._tokenizer.post_process(encoding)
            found.append(marked)
        return found


def batches(lengths: Sequence[int], /) -> Iterator[list[int]]:
    """Places of texts that are computed together: by length, so that equal ones stand side by side."""
    batch: list[int] = []
    held = 0
    for at in sorted(range(len(lengths)), key=lambda at: (lengths[at], at)):
        if batch and held + lengths[at] > BATCH_TOKENS:
            yield batch
            batch, held = [], 0
        batch.append(at)
        held += lengths[at]
    if batch:
        yield batch


def _pooled(states: Tensor, pooling: str) -> Tensor:
    match pooling:
        case "mean":
            return states.mean(dim=0)
        case "max":
            return states.max(dim=0).values
        case "cls":
            return states[0]
    return states[-1]


def read_tokenizer(layout: EncoderLayout, /) -> Tokenizer:
    """The tokenizer of a net, which neither pads nor cuts.

    Raises:
        DataError: its file is broken.
    """
    try:
        tokenizer = Tokenizer.from_file(str(layout.folder / TOKENIZER))
    except Exception as error:  # the library raises nothing narrower
        raise DataError(f"{layout.folder / TOKENIZER} cannot be read: {error}") from None
    tokenizer.no_truncation()  # a file may bring both, as it was trained
    tokenizer.no_padding()
    return tokenizer


def _net(layout: EncoderLayout, precision: str, device: str) -> Net:
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    if layout.architecture != "bert":
        other: Any = load_reference("genwright.nets.encoder.other:OtherNet", extra="pretrained")
        found: Net = other(layout, dtype=dtype, device=device)
        return found
    config = json.loads((layout.folder / CONFIG).read_bytes())
    try:
        tensors = {name: value for path in layout.weights for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise DataError(f"{layout.folder} has broken weights: {error}") from None
    return Bert(tensors, config, dtype=dtype, device=device)


def _identity(layout: EncoderLayout) -> str:
    files = [layout.folder / CONFIG, layout.folder / TOKENIZER, *layout.weights]
    settings = [layout.pooling, layout.window_tokens, layout.query_prefix, layout.document_prefix]
    return json_digest([settings, [file_digest(path) for path in files]])
