"""Tuning a net of which all or a part moves: what all objectives share, and next-token prediction on answers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import Clock, PackedTokens
from genwright.nets.loss import linear_cross_entropy, linear_target_log_prob, linear_token_nll
from genwright.nets.transformer import Transformer

PART = "net"


class Tuning(nn.Module):
    """A net whose parameters move where they ask for a gradient."""

    def __init__(self, net: Transformer) -> None:
        super().__init__()
        self.net = net

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: what moves."""
        return {PART: [parameter for parameter in self.net.parameters() if parameter.requires_grad]}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW without decay: Muon's updates of full rank are no good measure for factors of low rank (assumption)."""
        return {PART: {"kind": "adamw", "weight_decay": 0.0, "beta2": 0.999}}

    def counted(self, batch: PackedTokens, net: Transformer | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """What the head reads where a target counts, the head, and those targets."""
        net = net or self.net
        hidden = net.packed_features(batch.ids, lengths=batch.lengths)
        return hidden[batch.counted], net.head()[0], batch.targets[batch.counted]

    def target_log_prob(self, batch: PackedTokens, net: Transformer | None = None) -> Float[Tensor, " n"]:
        """Log-probability of each counted target under the net, or another one."""
        return linear_target_log_prob(*self.counted(batch, net))


class SupervisedTuning(Tuning):
    """Nats of the counted targets of whole sequences."""

    def losses(self, batch: PackedTokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats per learned token of the whole split: their sum over what as many sequences have in the mean."""
        del clock
        hidden, weight, targets = self.counted(batch)
        nats = linear_cross_entropy(hidden, weight, None, targets, None) * len(targets)
        loss = nats / (len(batch) * batch.mean_counted)
        yield PART, loss, {"loss": loss.detach()}

    @torch.no_grad()
    def held_out_nats(self, batch: PackedTokens) -> Float[Tensor, " b"]:
        """Nats of each sequence over the mean number of its learned tokens: their mean is nats per learned token."""
        hidden, weight, targets = self.counted(batch)
        return per_sequence(linear_token_nll(hidden, weight, None, targets), batch) / batch.mean_counted


def per_sequence(values: Float[Tensor, " n"], batch: PackedTokens) -> Float[Tensor, " b"]:
    """Sums over the counted targets of each sequence."""
    owner = torch.repeat_interleave(torch.tensor(batch.lengths, device=values.device))
    sums = torch.zeros(len(batch), dtype=values.dtype, device=values.device)
    return sums.index_add(0, owner[batch.counted], values)
