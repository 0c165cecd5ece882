"""Distillation: a smaller net learns what a larger one says of every token, not only which token came."""

from __future__ import annotations

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.tuning import PART, SupervisedTuning
from genwright.nets.loss import linear_cross_entropy
from genwright.nets.transformer import Transformer

BLOCK_ROWS = 256  # logits of so many tokens, of both nets, exist at once


class DistilledTuning(SupervisedTuning):
    """`share` of the loss is the divergence from the teacher's distribution of each token, the rest nats of the target.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2, with the soft part times the square of the temperature.
    Teacher and student read the same tokens; their widths and depths may differ.
    """

    def __init__(self, net: Transformer, *, teacher: Transformer, share: float, temperature: float) -> None:
        super().__init__(net)
        # In a tuple the teacher is no part of the family: it is not trained, saved or moved.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self.share, self.temperature = share, temperature

    def losses(self, batch: PackedTokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Both parts per learned token of the whole split, mixed by `share`."""
        del clock
        hidden, weight, targets = self.counted(batch)
        with torch.no_grad():
            taught, theirs, _ = self.counted(batch, *self._teacher)
        scale = 1.0 / (len(batch) * batch.mean_counted)
        hard = linear_cross_entropy(hidden, weight, None, targets, None) * len(targets) * scale
        soft = linear_divergence(hidden, weight, taught, theirs, temperature=self.temperature) * scale
        loss = self.share * soft + (1.0 - self.share) * hard
        yield PART, loss, {"loss": loss.detach(), "nats": hard.detach(), "divergence": soft.detach()}


def linear_divergence(
    hidden: Float[Tensor, "n d"],
    weight: Float[Tensor, "v d"],
    taught: Float[Tensor, "n e"],
    theirs: Float[Tensor, "v e"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Sum over tokens of KL(teacher || student) of both heads at a temperature, times its square.

    Blocks of tokens are made again in the backward pass, so that the logits of a whole batch never exist at once.
    """
    total = hidden.new_zeros(())
    for at in range(0, len(hidden), BLOCK_ROWS):
        part = slice(at, at + BLOCK_ROWS)
        nats: Tensor = checkpoint(
            _divergence, hidden[part], weight, taught[part], theirs, temperature, use_reentrant=False
        )
        total = total + nats
    return total * temperature**2


def _divergence(hidden: Tensor, weight: Tensor, taught: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    ours = (functional.linear(hidden, weight).float() / temperature).log_softmax(-1)
    wanted = (functional.linear(taught, theirs).float() / temperature).log_softmax(-1)
    return functional.kl_div(ours, wanted, reduction="sum", log_target=True)
