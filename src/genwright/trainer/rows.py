"""Samples that stand for themselves: arrays on disk, and batches of them in an order that follows from the seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core import DataError
from genwright.core.protocols import Encoded, Grid, RowBatch, Shape, Tokens, TokenShape, Vector, VectorShape
from genwright.core.rng import derive_seed

FORMAT = 1
PARTS = ("values", "lengths", "cond")


def store_rows(name: str, *, encoded: Iterable[Encoded], folder: Path, key: str) -> Encoded:
    """Those samples as memory-mapped arrays in `folder`; written there once per `key`.

    Raises:
        DataError: there is no sample.
    """
    meta = folder / f"{name}.json"
    wanted = {"format": FORMAT, "key": key}
    if not (meta.is_file() and json.loads(meta.read_bytes()) == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            (folder / f"{name}.{part}.npy").unlink(missing_ok=True)
        _write(encoded, folder=folder, name=name)
        temporary = meta.with_suffix(".tmp")
        temporary.write_text(json.dumps(wanted), encoding="utf-8")
        temporary.replace(meta)
    arrays = {part: _mapped(folder / f"{name}.{part}.npy") for part in PARTS}
    values = arrays["values"]
    if values is None:
        raise DataError(f"the {name} split holds no sample", hint="look at what the data stage dropped")
    return Encoded(values, arrays["lengths"], arrays["cond"])


def _mapped(path: Path) -> NDArray[Any] | None:
    return np.load(path, mmap_mode="r", allow_pickle=False) if path.is_file() else None


def _write(encoded: Iterable[Encoded], *, folder: Path, name: str) -> None:
    """Streams batches into raw files, then puts the array headers in front by a second pass."""
    shapes: dict[str, tuple[np.dtype[np.generic], tuple[int, ...]]] = {}
    total = 0
    raw = {part: folder / f"{name}.{part}.part" for part in PARTS}
    handles = {part: path.open("wb") for part, path in raw.items()}
    try:
        for batch in encoded:
            total += len(batch)
            for part in PARTS:
                array = getattr(batch, part)
                if array is not None and len(array):
                    shapes[part] = (array.dtype, array.shape[1:])
                    handles[part].write(np.ascontiguousarray(array).tobytes())
    finally:
        for handle in handles.values():
            handle.close()
    for part, (dtype, shape) in shapes.items():
        out = np.lib.format.open_memmap(folder / f"{name}.{part}.npy", mode="w+", dtype=dtype, shape=(total, *shape))
        out[:] = np.memmap(raw[part], dtype=dtype, mode="r").reshape(total, *shape)
        out.flush()
    for path in raw.values():
        path.unlink()


def to_batch(encoded: Encoded, /, *, shape: Shape, device: torch.device | str = "cpu") -> RowBatch:
    """Arrays as a batch of the representation that `shape` describes.

    Tokens of any length get their begin and end marks and are padded with end marks beyond the mask; those of a fixed
    layout stay as they are, without marks.
    """
    cond = None if encoded.cond is None else torch.from_numpy(np.array(encoded.cond, dtype=np.float32)).to(device)
    if isinstance(shape, TokenShape):
        ids, mask = _token_rows(encoded, shape)
        return Tokens(ids.to(device), None if mask is None else mask.to(device), cond)
    values = torch.from_numpy(np.array(encoded.values)).to(device)
    values = values.float() / 127.5 - 1.0 if values.dtype == torch.uint8 else values.float()
    return Vector(values, cond) if isinstance(shape, VectorShape) else Grid(values, cond)


def _token_rows(encoded: Encoded, shape: TokenShape) -> tuple[Tensor, Tensor | None]:
    ids = torch.from_numpy(np.array(encoded.values, dtype=np.int64))
    if shape.cells:
        return ids, None
    count = len(ids)
    lengths = np.full(count, ids.shape[1]) if encoded.lengths is None else encoded.lengths
    sizes = torch.from_numpy(np.array(lengths, dtype=np.int64))
    longest = int(sizes.max()) if count else 0
    place = torch.arange(longest + 2)
    framed = torch.full((count, longest + 2), shape.eos_id, dtype=torch.long)
    framed[:, 0] = shape.bos_id
    framed[:, 1 : longest + 1] = torch.where(place[:longest] < sizes[:, None], ids[:, :longest], shape.eos_id)
    return framed, place < sizes[:, None] + 2


class RowFeed:
    """Batches of samples. Each epoch shuffles them; row n of the whole training follows from (seed, n) alone.

    With `alike_rows`, each so many rows of the whole training are of like length, shorter and longer ones in any order:
    a batch is padded to its longest row, which in molecules is a third of it otherwise.
    """

    row_units = 1
    unit: Literal["token", "sample"] = "sample"

    def __init__(
        self,
        encoded: Encoded,
        *,
        shape: Shape,
        seed: int,
        device: str,
        shuffle: bool = True,
        alike_rows: int | None = None,
    ) -> None:
        self._encoded, self._shape = encoded, shape
        self._seed, self._device, self._shuffle = seed, device, shuffle
        self._alike_rows = None if encoded.lengths is None else alike_rows
        self._mean_tokens = None if encoded.lengths is None else float(encoded.lengths.mean()) + 1.0
        self._order = lru_cache(maxsize=2)(self._make_order)

    def __len__(self) -> int:
        return len(self._encoded)

    def take(self, first: int, /, *, count: int) -> RowBatch:
        """Rows first .. first + count - 1 of the whole training."""
        batch = self.rows(numbers_of(first, count=count, size=len(self), order=self._order))
        if self._alike_rows is None or not isinstance(batch, Tokens):
            return batch
        return replace(batch, mean_tokens=self._mean_tokens)

    def rows(self, numbers: NDArray[np.int64], /) -> RowBatch:
        """The rows with those numbers in the file."""
        return to_batch(_rows(self._encoded, numbers), shape=self._shape, device=self._device)

    def all_batches(self, *, size: int) -> Iterator[RowBatch]:
        """Every row once, in the order of the file."""
        for at in range(0, len(self), size):
            yield self.rows(np.arange(at, min(at + size, len(self))))

    def _make_order(self, epoch: int) -> NDArray[np.int64]:
        if not self._shuffle:
            return np.arange(len(self))
        rng = np.random.default_rng(derive_seed(self._seed, f"epoch {epoch}"))
        order = rng.permutation(len(self))
        if self._alike_rows is None or self._encoded.lengths is None:
            return order
        # The epoch before ends within a group: this one begins with the rest of it.
        start = -epoch * len(self) % self._alike_rows
        stop = start + max(0, len(self) - start) // self._alike_rows * self._alike_rows
        inner = order[start:stop]
        inner = inner[np.argsort(self._encoded.lengths[inner], kind="stable")]
        order[start:stop] = rng.permutation(inner.reshape(-1, self._alike_rows)).reshape(-1)
        return order


def numbers_of(first: int, *, count: int, size: int, order: Callable[[int], NDArray[np.int64]]) -> NDArray[np.int64]:
    """The numbers in the file of rows first .. first + count - 1 of the whole training; `order` is that of an epoch."""
    taken: list[NDArray[np.int64]] = []
    at = first
    while at < first + count:
        epoch, place = divmod(at, size)
        taken.append(order(epoch)[place : place + first + count - at])
        at += len(taken[-1])
    return np.concatenate(taken)


def _rows(encoded: Encoded, rows: NDArray[np.int64]) -> Encoded:
    def chosen(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else array[rows]

    return Encoded(encoded.values[rows], chosen(encoded.lengths), chosen(encoded.cond))
