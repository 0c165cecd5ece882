"""Scoring documents longer than the context: windows that overlap by half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genwright.core.protocols import Tokens
from genwright.families.autoregressive import Autoregressive

TOKENS_AT_ONCE = 8192


@dataclass(frozen=True)
class Window:
    """A stretch of one document: `ids` is read, the last `num_scored` of its tokens count."""

    document: int
    ids: tuple[int, ...]
    num_scored: int


def windows(ids: Sequence[int], /, *, document: int, context_tokens: int, first: int = 1) -> list[Window]:
    """Windows that score every token from `first` on once, each after at least half a context where there is one.

    A window reads up to `context_tokens` tokens before its last; all windows after the first score half of that.
    """
    stride = max(1, context_tokens // 2)
    out = []
    done = first
    while done < len(ids):
        end = min(len(ids), max(context_tokens + 1, done + stride))
        begin = max(0, end - context_tokens - 1)
        out.append(Window(document, tuple(ids[begin:end]), end - done))
        done = end
    return out


@torch.no_grad()
def score(family: Autoregressive, /, *, work: Sequence[Window], num_documents: int, device: str) -> list[float]:
    """Nats per document; windows of like length share a batch, so that little is padding."""
    totals = [0.0] * num_documents
    order = sorted(range(len(work)), key=lambda index: (len(work[index].ids), index))
    while order:
        longest = len(work[order[-1]].ids)
        count = max(1, TOKENS_AT_ONCE // longest)
        batch = [work[index] for index in order[-count:]]
        del order[-count:]
        for window, nats in zip(batch, _score_batch(family, batch, device=device), strict=True):
            totals[window.document] += nats
    return totals


def _score_batch(family: Autoregressive, batch: Sequence[Window], *, device: str) -> list[float]:
    longest = max(len(window.ids) for window in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, window in enumerate(batch):
        size = len(window.ids)
        ids[row, :size] = torch.tensor(window.ids)
        mask[row, size - window.num_scored : size] = True
    log_prob = family.token_log_prob(Tokens(ids.to(device), mask.to(device)))
    nats: list[float] = (-log_prob.double().sum(-1)).tolist()
    return nats
