"""Low-rank adapters beside frozen linear layers: LoRA, DoRA, and either over a base in 4 bits (QLoRA)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import SpecError
from genwright.nets.lora_config import ALL_LINEAR, LoraConfig
from genwright.nets.nf4 import Nf4
from genwright.nets.plain import is_plain

AdapterKind = Literal["lora", "dora", "qlora"]
HEAD = "lm_head"


class LoraLinear(nn.Module):
    """x (W + s B A)^T with W frozen; with a magnitude, each row of W + s B A has that length.

    Source: LoRA, arXiv:2106.09685, section 4.1; DoRA, arXiv:2402.09353, equation 5, whose norm is taken as a constant
    in the backward pass (section 4.3); QLoRA, arXiv:2305.14314, equation 5.
    """

    def __init__(self, base: nn.Linear, *, config: LoraConfig, kind: AdapterKind, rng: torch.Generator) -> None:
        super().__init__()
        out_size, in_size = base.weight.shape
        self.scale, self.dropout = config.scale, config.dropout
        self.is_on = True
        self.weight = base.weight.requires_grad_(False) if kind != "qlora" else None
        self.packed = Nf4(base.weight.detach()) if kind == "qlora" else None
        self.bias = None if base.bias is None else base.bias.requires_grad_(False)
        bound = in_size**-0.5
        self.lora_A = nn.Parameter(torch.empty(config.rank, in_size).uniform_(-bound, bound, generator=rng))
        self.lora_B = nn.Parameter(torch.zeros(out_size, config.rank))
        norms = base.weight.detach().float().norm(dim=1)
        self.magnitude = nn.Parameter(norms) if kind == "dora" else None

    def dense(self, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """The frozen matrix."""
        if self.packed is not None:
            return self.packed.dense(dtype)
        assert self.weight is not None
        return self.weight

    @property
    def shares_products(self) -> bool:
        """Whether it can be computed together with others over the same input."""
        is_whole = self.magnitude is None and not (self.dropout and self.training)
        return self.is_on and is_whole and not is_plain()

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """The layer's output."""
        if self.shares_products:
            return apply_linears(x, self)[0]
        if not self.is_on:
            return self.shifted(functional.linear(x, self.dense(x.dtype)))
        dropped = functional.dropout(x, self.dropout, self.training)
        low = functional.linear(functional.linear(dropped, self.lora_A), self.lora_B)
        out = functional.linear(x, self.dense(x.dtype)) + self.scale * low
        if self.magnitude is not None:
            out = out * (self.magnitude / self._norms()).to(x.dtype)
        return self.shifted(out)

    def shifted(self, out: Float[Tensor, "*b o"]) -> Float[Tensor, "*b o"]:
        """What the products come to with the layer's bias, where it has one."""
        return out if self.bias is None else out + self.bias

    @torch.no_grad()
    def _norms(self) -> Float[Tensor, " o"]:
        norms: Tensor = torch.linalg.vector_norm(self._moved(), dim=1)
        return norms

    def _moved(self) -> Float[Tensor, "o i"]:
        base = self.dense(torch.float32).float()
        return torch.addmm(base, self.lora_B.float(), self.lora_A.float(), alpha=self.scale)

    @torch.no_grad()
    def merged(self) -> Float[Tensor, "o i"]:
        """One matrix that does what base and adapter do together, in float32."""
        moved = self._moved()
        return moved if self.magnitude is None else moved * (self.magnitude.float() / moved.norm(dim=1))[:, None]


def apply_linears(x: Float[Tensor, "*b i"], *layers: nn.Module) -> tuple[Tensor, ...]:
    """What each layer makes of `x`; adapters over the same input share their products with it."""
    if not all(isinstance(layer, LoraLinear) and layer.shares_products for layer in layers):
        return tuple(layer(x) for layer in layers)
    matrices = [matrix for layer in layers for matrix in (layer.lora_A, layer.lora_B)]
    outs: tuple[Tensor, ...] = _Adapted.apply(x, layers, *matrices)  # type: ignore[no-untyped-call]
    return tuple(layer.shifted(out) for layer, out in zip(layers, outs, strict=True))  # type: ignore[operator]


class _Adapted(torch.autograd.Function):
    """Several adapted layers over one input. The frozen matrices get no gradient, and what A x is, is kept.

    With h = A x, y = W x + s B h: dB = s dy h^T, dh = s B^T dy, dA = dh x^T, dx = W^T dy + A^T dh.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, layers: Sequence[LoraLinear], *matrices: Tensor) -> tuple[Tensor, ...]:
        flat = x.reshape(-1, x.shape[-1])
        below = torch.cat(matrices[::2])
        low = flat @ below.t()
        outs = []
        for layer, part, above in zip(layers, _parts(low, matrices), matrices[1::2], strict=True):
            out = flat @ layer.dense(x.dtype).t()
            outs.append(out.addmm_(part, above.t(), alpha=layer.scale).view(*x.shape[:-1], -1))
        ctx.layers, ctx.shape = layers, x.shape
        ctx.save_for_backward(flat, low, below, *matrices)
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        flat, low, below, *matrices = ctx.saved_tensors
        found: list[Tensor] = []
        grad_low = torch.empty_like(low)
        flats = [grad.reshape(len(flat), -1) for grad in grads]
        parts = zip(_parts(low, matrices), _parts(grad_low, matrices), strict=True)
        for layer, grad, (part, grad_part), above in zip(ctx.layers, flats, parts, matrices[1::2], strict=True):
            grad_part.copy_(grad @ above).mul_(layer.scale)
            found.append((grad.t() @ part).mul_(layer.scale))
        above_grads = found
        below_grads = (grad_low.t() @ flat).split([len(matrix) for matrix in matrices[::2]])
        both = [one for pair in zip(below_grads, above_grads, strict=True) for one in pair]
        if not ctx.needs_input_grad[0]:
            return None, None, *both
        grad_x = grad_low @ below
        for layer, grad in zip(ctx.layers, flats, strict=True):
            grad_x.addmm_(grad, layer.dense(grad.dtype))
        return grad_x.view(ctx.shape), None, *both


def _parts(low: Tensor, matrices: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The columns of each layer in the products with all their lower matrices."""
    return torch.split(low, [len(matrix) for matrix in matrices[::2]], dim=1)


def attach(net: nn.Module, *, config: LoraConfig, kind: AdapterKind, seed: int) -> tuple[str, ...]:
    """Puts adapters beside the targets in place and freezes all else; the names of the layers that have one.

    Raises:
        SpecError: a target is no linear layer of the net.
    """
    linears = {name: module for name, module in net.named_modules() if isinstance(module, nn.Linear)}
    chosen = [name for name in linears if name != HEAD and _is_target(name, config)]
    ends = {name.rpartition(".")[2] for name in linears if name != HEAD}
    unknown = [] if config.targets == ALL_LINEAR else [one for one in config.targets if one not in ends]
    if unknown or not chosen:
        raise SpecError(
            f"adapt.lora.targets: the net has no linear layer '{', '.join(unknown)}'",
            hint=f"its layers: {', '.join(sorted(ends))}; or targets = '{ALL_LINEAR}'",
        )
    net.requires_grad_(False)
    rng = torch.Generator().manual_seed(seed)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        setattr(net.get_submodule(parent), last, LoraLinear(linears[name], config=config, kind=kind, rng=rng))
    return tuple(chosen)


def _is_target(name: str, config: LoraConfig) -> bool:
    return config.targets == ALL_LINEAR or name.rpartition(".")[2] in config.targets


def adapters(net: nn.Module, /) -> dict[str, LoraLinear]:
    """The adapted layers by name."""
    return {name: module for name, module in net.named_modules() if isinstance(module, LoraLinear)}


@contextmanager
def without_adapters(net: nn.Module, /) -> Iterator[None]:
    """The net computes what it did before adapters stood beside it; of QLoRA that is the base in 4 bits."""
    layers = adapters(net).values()
    for layer in layers:
        layer.is_on = False
    try:
        yield
    finally:
        for layer in layers:
            layer.is_on = True


def merged_tensors(net: nn.Module, /) -> dict[str, Tensor]:
    """The weights of the net without adapters that computes the same, under its own names."""
    found = adapters(net)
    own = {f"{name}.{part}" for name, layer in found.items() for part in layer.state_dict()}
    kept = {f"{name}.bias" for name, layer in found.items() if layer.bias is not None}
    tensors = {name: value for name, value in net.state_dict().items() if name not in own or name in kept}
    return tensors | {f"{name}.weight": layer.merged() for name, layer in found.items()}
