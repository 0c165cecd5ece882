"""What follows from the lengths of sequences: what a batch counts for beside others, and means over tokens."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from genwright.core.protocols import Tokens


def relative_tokens(batch: Tokens, weights: Float[Tensor, "b t"]) -> Float[Tensor, ""] | float:
    """How many tokens count beside those of as many rows of the whole split; 1 where rows come in any order.

    Mean nats per token times this have the same mean over batches as the nats of rows in any order.
    """
    return 1.0 if batch.mean_tokens is None else weights.sum() / (len(batch) * batch.mean_tokens)


def mean_state(hidden: Float[Tensor, "b t d"], mask: Bool[Tensor, "b t"] | None, /) -> Float[Tensor, "b d"]:
    """The mean over the positions that count, in float32."""
    states: Tensor = hidden.float()
    if mask is None:
        return states.mean(1)
    counted = mask.float()
    return (states * counted[..., None]).sum(1) / counted.sum(1, keepdim=True).clamp_min(1.0)
