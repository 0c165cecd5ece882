"""Parameters split over processes (FSDP2): how a family is split, and whole tensors from parts and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

# What a net is called by besides its forward; each has to gather its parameters first.
ENTRANCES = ("features", "logits", "token_nll")


def shard(family: Any, *, precision: torch.dtype) -> None:
    """Splits every net of the family in place, block by block; parameters stay float32, products use `precision`.

    Source: PyTorch FSDP, arXiv:2304.11277, in its per-parameter form (`fully_shard`).
    """
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32)
    for net in family.children():
        for blocks in [module for module in net.modules() if isinstance(module, nn.ModuleList)]:
            for block in blocks:
                if any(True for _ in block.parameters()):
                    fully_shard(block, mp_policy=policy)
        fully_shard(net, mp_policy=policy)
        for entrance in ENTRANCES:
            if hasattr(net, entrance):
                register_fsdp_forward_method(net, entrance)


def whole(tensor: Tensor, /) -> Tensor:
    """The full tensor; every process has to call this where it is split."""
    if isinstance(tensor, DTensor):
        full: Tensor = tensor.full_tensor()
        return full
    return tensor


def split_like(full: Tensor, /, *, like: Tensor) -> Tensor:
    """This process's part of `full`, split as `like` is."""
    if isinstance(like, DTensor) and full.shape == like.shape:
        return distribute_tensor(full, like.device_mesh, like.placements)
    return full
