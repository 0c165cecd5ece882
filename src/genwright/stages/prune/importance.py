"""What matters in a transformer, by what happens in it on a few texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.nets.transformer import Transformer


@dataclass
class Watched:
    """Sums over all positions seen so far.

    `turned[i][n]` is the angle between the hidden state before layer i and that before layer i + n, over pi; `squares`
    holds, by the name of a linear layer, the sum of squares of each of its inputs.
    """

    turned: list[list[float]] = field(default_factory=list)
    squares: dict[str, Tensor] = field(default_factory=dict)
    num_positions: int = 0


@torch.no_grad()
def watch(net: Transformer, texts: Sequence[Sequence[int]], /) -> Watched:
    """What the net does on these tokens, one text at a time."""
    found = Watched(turned=[[0.0] * (len(net.layers) + 1) for _ in range(len(net.layers) + 1)])
    with _hooked(net, found) as states:
        for ids in texts:
            states.clear()
            hidden, _ = net.features(torch.tensor([list(ids)], device=net.norm.weight.device))
            del hidden
            _add_angles(states, found)
            found.num_positions += len(ids)
    return found


@contextmanager
def _hooked(net: Transformer, found: Watched) -> Iterator[list[Tensor]]:
    """Keeps what goes into each layer and out of the last, and adds up what the linear layers read."""
    states: list[Tensor] = []

    def before_layer(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        states.append(inputs[0][0])

    def after_last(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        states.append(output[0])

    handles = [layer.register_forward_pre_hook(before_layer) for layer in net.layers]
    handles.append(net.layers[-1].register_forward_hook(after_last))
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear):
            handles.append(module.register_forward_pre_hook(_reader(name, found)))
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()


def _reader(name: str, found: Watched) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def read(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        squares = inputs[0].flatten(0, -2).float().square().sum(0)
        found.squares[name] = squares + found.squares.get(name, torch.zeros_like(squares))

    return read


def _add_angles(states: Sequence[Tensor], found: Watched) -> None:
    for first in range(len(states)):
        for last in range(first, len(states)):
            likeness = functional.cosine_similarity(states[first].float(), states[last].float(), dim=-1)
            found.turned[first][last - first] += float((likeness.clamp(-1, 1).acos() / torch.pi).sum())


def least_turning(found: Watched, num: int, /) -> int:
    """The first of `num` layers in a row that together turn the hidden states least.

    Source: Gromov et al. 2024, arXiv:2403.17887, equation 7.
    """
    last_start = len(found.turned) - 1 - num
    return min(range(last_start + 1), key=lambda start: found.turned[start][num])


def weight_scores(weight: Float[Tensor, "o i"], squares: Float[Tensor, " i"], /) -> Float[Tensor, "o i"]:
    """How much each weight carries: its size times the norm of its input. Source: Wanda, arXiv:2306.11695, eq. 1."""
    return weight.float().abs() * squares.sqrt()


def channel_scores(down: Float[Tensor, "o i"], squares: Float[Tensor, " i"], /) -> Float[Tensor, " i"]:
    """How much each inner channel writes: the norm of its column times the norm of what comes through it."""
    scores: Tensor = down.float().norm(dim=0) * squares.sqrt()
    return scores
