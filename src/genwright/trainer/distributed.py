"""Several processes started by torchrun: their group, a mean over their gradients, and decisions they share."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from genwright.core import Context

BUCKET_NUMBERS = 1 << 23


def world_size() -> int:
    """How many processes train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process keeps checkpoints, logs and results."""
    return rank() == 0


def join(device: str, /) -> None:
    """Makes the process group where torchrun started several: NCCL on GPUs, gloo elsewhere. Idempotent."""
    if world_size() > 1 and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
        # Threads of a group that is still open while the interpreter ends abort the process now and then.
        atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Returns when every process is here."""
    if world_size() > 1:
        dist.barrier()


def broadcast_object(value: Any, /) -> Any:
    """Rank 0's value, on every rank."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def broadcast_tensors(tensors: Sequence[Tensor], /) -> None:
    """Overwrites the tensors by rank 0's."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def average(tensors: Sequence[Tensor], /) -> None:
    """Replaces each tensor by its mean over the processes, some 8 million numbers at a time."""
    if world_size() == 1:
        return
    bucket: list[Tensor] = []
    for tensor in tensors:
        bucket.append(tensor)
        if sum(t.numel() for t in bucket) >= BUCKET_NUMBERS:
            _average_bucket(bucket)
            bucket = []
    if bucket:
        _average_bucket(bucket)


def _average_bucket(bucket: Sequence[Tensor]) -> None:
    flat = torch.cat([tensor.flatten() for tensor in bucket])
    dist.all_reduce(flat)
    flat /= world_size()
    sizes = [tensor.numel() for tensor in bucket]
    for tensor, new in zip(bucket, torch.split(flat, sizes), strict=True):
        tensor.copy_(new.view_as(tensor))


def total(values: Sequence[float], /) -> list[float]:
    """The sums of the values over the processes."""
    if world_size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor)
    out: list[float] = tensor.tolist()
    return out


def decide(context: Context, name: str, make: Callable[[], Any]) -> Any:
    """The decision that rank 0's ledger holds; where it holds none, all processes make it together and rank 0's counts.

    Every process has to call this at the same place, since `make` may use collective operations.
    """
    if world_size() == 1:
        return context.decide(name, make)
    if not is_main():
        if broadcast_object(None) == "make":
            make()
        return broadcast_object(None)
    made: list[bool] = []

    def together() -> Any:
        made.append(True)
        broadcast_object("make")
        return make()

    value = context.decide(name, together)
    if not made:
        broadcast_object("known")
    return broadcast_object(value)
