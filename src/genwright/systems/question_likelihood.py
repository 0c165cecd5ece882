"""How likely a question is behind a passage, under a language model: the passage that answers makes it likelier.

Source: Sachan et al., EMNLP 2022 (arXiv:2204.07496), with the mean over the question's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Self

import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Codec, Tokens
from genwright.families.autoregressive import Autoregressive
from genwright.families.store import load_family
from genwright.modalities.codec import load_codec
from genwright.nets.precision import fast_precision

BEFORE, BEHIND = "Passage of the documentation:\n", "\n\nA question about it: "
MOST_TOKENS = 1024
"""Of a passage so many are read, with the question."""
TOKENS_AT_ONCE = 2048
KEPT = 50_000
"""Likelihoods that are remembered: the same question is often asked again, with other filters."""


class QuestionLikelihood:
    """Nats per token of questions behind texts. Safe between threads.

    In bfloat16 where the hardware multiplies it.
    """

    def __init__(self, family: Autoregressive, /, *, codec: Codec, device: str = "cpu") -> None:
        dtype = getattr(torch, fast_precision(device))
        self._family = family.eval().to(device=device, dtype=dtype)
        self._codec, self._device = codec, device
        self._most = min(family.shape.context_tokens or MOST_TOKENS, MOST_TOKENS)
        self._held: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    @classmethod
    def load(cls, model: Path, codec: Path, /, *, device: str = "cpu") -> Self:
        """Of the artifacts of a language model.

        Raises:
            CapabilityError: the model predicts no tokens in order, or is elsewhere.
        """
        if (model / "remote.json").is_file():
            raise CapabilityError(
                "a remote model does not say how likely a question is",
                hint="give [base] a model with weights, or index.search.likelihood = 'off'",
            )
        family = load_family(model, device=device)
        if not isinstance(family, Autoregressive):
            raise CapabilityError(
                f"a model of the family '{family.config.kind}' does not say how likely a question is",
                hint="index.search.likelihood = 'off'",
            )
        return cls(family, codec=load_codec(codec), device=device)

    def __call__(self, question: str, texts: Sequence[str], /) -> list[float]:
        """Mean log-probability of the question's tokens behind each text; what does not fit of a text is left out."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if (question, text) not in self._held]
            if len(self._held) + len(missing) > KEPT:
                self._held.clear()
                missing = list(dict.fromkeys(texts))
            self._held |= {(question, text): value for text, value in self._measured(question, missing)}
            return [self._held[question, text] for text in texts]

    def _measured(self, question: str, texts: Sequence[str]) -> list[tuple[str, float]]:
        asked, before, behind = (self._ids(text) for text in (question.strip(), BEFORE, BEHIND))
        asked = asked[: self._most // 2]
        room = self._most - len(before) - len(behind) - len(asked)
        rows = [(text, [*before, *self._ids(text)[: max(0, room)], *behind]) for text in texts]
        rows.sort(key=lambda one: len(one[1]))
        found: list[tuple[str, float]] = []
        while rows:
            count = max(1, TOKENS_AT_ONCE // (len(rows[-1][1]) + len(asked)))
            batch, rows = rows[-count:], rows[:-count]
            values = self._batch([ids for _, ids in batch], asked)
            found += zip((text for text, _ in batch), values, strict=True)
        return found

    def _ids(self, text: str) -> list[int]:
        return [int(one) for one in self._codec.encode([text])[0]]

    def _batch(self, rows: Sequence[list[int]], asked: list[int]) -> list[float]:
        longest = max(len(row) for row in rows) + len(asked)
        ids = torch.full((len(rows), longest), self._family.shape.eos_id, dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.bool)
        for at, row in enumerate(rows):
            end = len(row) + len(asked)
            ids[at, :end] = torch.tensor([*row, *asked])
            mask[at, len(row) : end] = True
        found = self._family.token_log_prob(Tokens(ids.to(self._device), mask.to(self._device)))
        return [float(value) / len(asked) for value in found.double().sum(-1)]
