"""Token files on disk and rows without padding from them, in an order that follows from the seed and the step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.protocols import Codec
from genwright.core.rng import derive_seed

TEXTS_PER_BATCH = 256
FORMAT = 1
Ids = NDArray[np.integer]


@dataclass(frozen=True)
class TokenFile:
    """All documents of a split, end to end; each starts with the begin mark and ends with the end mark."""

    tokens: Ids
    starts: NDArray[np.int64]

    @property
    def num_tokens(self) -> int:
        """Tokens, marks included."""
        return len(self.tokens)


def token_file(name: str, *, texts: Callable[[], Iterable[str]], codec: Codec, folder: Path, key: str) -> TokenFile:
    """The tokens of those texts, memory-mapped from `folder`; written there once per `key`.

    Raises:
        DataError: there is no text.
    """
    meta, tokens, starts = (folder / f"{name}.{part}" for part in ("json", "tokens.npy", "starts.npy"))
    wanted = {"format": FORMAT, "key": key}
    if not (meta.is_file() and json.loads(meta.read_text(encoding="utf-8")) == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        _write_tokens(texts(), codec=codec, tokens=tokens, starts=starts)
        _write_atomic(meta, json.dumps(wanted).encode())
    found = TokenFile(np.load(tokens, mmap_mode="r"), np.load(starts))
    if found.num_tokens <= 2 * len(found.starts):
        raise DataError(f"the {name} split holds no text", hint="look at what the data stage dropped")
    return found


def _write_tokens(texts: Iterable[str], *, codec: Codec, tokens: Path, starts: Path) -> None:
    """Streams the documents into a raw file, then puts the array header in front by a second pass."""
    dtype = np.dtype(np.uint16 if codec.vocab_size <= 1 << 16 else np.uint32)
    raw = tokens.with_suffix(".part")
    lengths: list[int] = []
    with raw.open("wb") as handle:
        for ids in _encoded(texts, codec=codec):
            document = np.concatenate(([codec.bos_id], ids, [codec.eos_id])).astype(dtype)
            lengths.append(len(document))
            handle.write(document.tobytes())
    total = sum(lengths)
    out = np.lib.format.open_memmap(tokens.with_suffix(".tmp"), mode="w+", dtype=dtype, shape=(total,))
    if total:
        out[:] = np.memmap(raw, dtype=dtype, mode="r")
    out.flush()
    tokens.with_suffix(".tmp").replace(tokens)
    raw.unlink()
    with starts.with_suffix(".tmp").open("wb") as handle:
        np.save(handle, (np.cumsum(lengths) - lengths).astype(np.int64))
    starts.with_suffix(".tmp").replace(starts)


def _encoded(texts: Iterable[str], *, codec: Codec) -> Iterator[Ids]:
    batches = iter(texts)
    while batch := list(islice(batches, TEXTS_PER_BATCH)):
        yield from codec.encode(batch)


def _write_atomic(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)


class Rows:
    """Rows of `row_tokens` + 1 tokens cut from the documents end to end, so that no token is padding.

    Each epoch shuffles the documents, starts at a random place and shuffles the rows. Row n of the whole training
    follows from (seed, n) alone. Neighbouring rows of the stream share one token: the last target of one is the
    first input of the next.
    """

    def __init__(self, file: TokenFile, *, row_tokens: int, seed: int, shuffle: bool = True) -> None:
        self._file = file
        self.row_tokens = row_tokens
        self._seed = seed
        self._shuffle = shuffle
        self._lengths = np.diff(np.concatenate((file.starts, [file.num_tokens])))
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    @property
    def rows_per_epoch(self) -> int:
        """Whole rows in one pass (at least one: a short corpus wraps around)."""
        return max(1, self._file.num_tokens // self.row_tokens)

    def take(self, first: int, /, *, count: int) -> NDArray[np.int64]:
        """Rows first .. first + count - 1 of the whole training, (count, row_tokens + 1)."""
        return np.stack([self._row(index) for index in range(first, first + count)])

    def _row(self, index: int) -> NDArray[np.int64]:
        epoch, place = divmod(index, self.rows_per_epoch)
        documents, ends, phase, order = self._epoch(epoch)
        start = (phase + int(order[place]) * self.row_tokens) % self._file.num_tokens
        return self._cut(start, documents=documents, ends=ends)

    def _make_epoch(self, epoch: int) -> tuple[Ids, Ids, int, Ids]:
        documents: Ids = np.arange(len(self._lengths))
        order: Ids = np.arange(self.rows_per_epoch)
        phase = 0
        if self._shuffle:
            rng = np.random.default_rng(derive_seed(self._seed, f"epoch {epoch}"))
            documents, order = rng.permutation(documents), rng.permutation(order)
            phase = int(rng.integers(self._file.num_tokens))
        return documents, np.cumsum(self._lengths[documents]), phase, order

    def _cut(self, start: int, *, documents: Ids, ends: Ids) -> NDArray[np.int64]:
        out = np.empty(self.row_tokens + 1, dtype=np.int64)
        filled = 0
        place = int(np.searchsorted(ends, start, side="right"))
        offset = start - (int(ends[place - 1]) if place else 0)
        while filled < len(out):
            document = int(documents[place])
            begin = int(self._file.starts[document]) + offset
            size = min(int(self._lengths[document]) - offset, len(out) - filled)
            out[filled : filled + size] = self._file.tokens[begin : begin + size]
            filled += size
            place, offset = (place + 1) % len(documents), 0
        return out


def spread(total: int, /, *, most: int) -> Sequence[int]:
    """At most `most` indices, evenly spread over range(total).

    >>> list(spread(10, most=4))
    [0, 2, 5, 7]
    """
    count = min(total, most)
    return [index * total // count for index in range(count)]
