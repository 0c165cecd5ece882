"""Batches of rows of like length: what one counts for beside the others."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from genwright.core.protocols import Tokens


def relative_tokens(batch: Tokens, weights: Float[Tensor, "b t"]) -> Float[Tensor, ""] | float:
    """How many tokens count beside those of as many rows of the whole split; 1 where rows come in any order.

    Mean nats per token times this have the same mean over batches as the nats of rows in any order.
    """
    return 1.0 if batch.mean_tokens is None else weights.sum() / (len(batch) * batch.mean_tokens)
