"""The one dial: a size or a compute budget becomes depth, width, context and batch. Imports no torch.

Source: depth x aspect gives the width at GPT-2's ratio of 64 (12 layers x 64 = 768), which Kaplan et al.
(arXiv:2001.08361, section 3.1) find to matter little over a wide range; a compute budget C buys N parameters and D
tokens with C = 6 N D (same paper, section 2.1) and D = 20 N (Hoffmann et al., arXiv:2203.15556, table 3).
Context and batch growth are this project's assumption, set at `small` and not fitted at other depths.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Size = Literal["nano", "micro", "small", "base", "large"]

DEPTHS: dict[Size, int] = {"nano": 2, "micro": 4, "small": 6, "base": 12, "large": 24}
ASPECT = 64
TOKENS_PER_PARAMETER = 20
FLOPS_PER_PARAMETER_TOKEN = 6
MAX_DEPTH = 48


@dataclass(frozen=True)
class Scale:
    """What the dial says before a net is chosen: layers, width, tokens of context and tokens in one step."""

    depth: int
    d_model: int
    context_tokens: int
    batch_tokens: int


def scale_for(size: Size, /, *, compute_flops: float | None = None, parameters: Callable[[int], int]) -> Scale:
    """The scale of a size, or, where a compute budget is given, the deepest that it trains at 20 tokens per parameter.

    `parameters` counts the parameters of a net of a given depth.
    """
    return scale_at(DEPTHS[size] if compute_flops is None else depth_for(compute_flops, parameters=parameters))


def scale_at(depth: int, /) -> Scale:
    """The scale of a depth.

    >>> scale_at(6)
    Scale(depth=6, d_model=384, context_tokens=512, batch_tokens=8192)
    """
    return Scale(
        depth=depth,
        d_model=ASPECT * depth,
        context_tokens=min(4096, _power_of_two_above(ASPECT * depth)),
        batch_tokens=_power_of_two_above(200 * depth * depth),
    )


def depth_for(compute_flops: float, /, *, parameters: Callable[[int], int]) -> int:
    """The largest depth whose 20-tokens-per-parameter training costs at most `compute_flops` (at least 1)."""
    depth = 1
    while depth < MAX_DEPTH and training_flops(parameters(depth + 1)) <= compute_flops:
        depth += 1
    return depth


def training_flops(num_parameters: int, /) -> float:
    """The cost of training that many parameters on 20 tokens each: 6 N (20 N)."""
    return float(FLOPS_PER_PARAMETER_TOKEN * TOKENS_PER_PARAMETER) * num_parameters**2


def _power_of_two_above(value: int) -> int:
    return 1 << (value - 1).bit_length()
