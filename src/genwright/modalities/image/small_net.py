"""A small frozen net trained on the train split, whose features pictures are compared by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genwright.modalities.condition import words_of
from genwright.modalities.image.config import ImageMetricsConfig
from genwright.modalities.image.pixels import Levels, pixels_of

WIDTH = 128
LONGEST = 64
ROWS_AT_ONCE = 256
SCALED_BY = 5000
MOST_CLASSES, MOST_WORDS, LEAST_USES = 1000, 500, 4
RATE = 0.002
Kind = Literal["classes", "words", "turns"]


@dataclass(frozen=True)
class Task:
    """What the net learns to tell: one of `names` (classes, quarter turns), or which of them apply (words)."""

    kind: Kind
    names: tuple[str, ...]
    targets: NDArray[np.float32]


def task_of(train: pa.Table, config: ImageMetricsConfig, /) -> Task:
    """Classes of the column `label`, else the frequent words of `caption`, else by how many quarters it is turned."""
    if config.label in train.column_names:
        labels = [str(value) for value in train.column(config.label).to_pylist()]
        names = sorted(set(labels))
        if 2 <= len(names) <= MOST_CLASSES:
            return Task("classes", tuple(names), np.array([names.index(one) for one in labels], dtype=np.float32))
    if config.caption in train.column_names:
        words = [set(words_of(str(value or ""))) for value in train.column(config.caption).to_pylist()]
        counts = Counter(word for one in words for word in one)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        known = sorted(word for word in ranked[:MOST_WORDS] if counts[word] >= LEAST_USES)
        if known:
            held = np.array([[float(word in one) for word in known] for one in words], dtype=np.float32)
            return Task("words", tuple(known), held)
    return Task("turns", ("0", "90", "180", "270"), np.zeros(len(train), dtype=np.float32))


class _Net(nn.Module):
    def __init__(self, channels: int, outputs: int, *, width: int = 32, features: int = WIDTH) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 5, 2, 2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * width, features),
        )
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(functional.relu(self.body(x)))
        return out


class FeatureNet:
    """The trained net. `digest` is that of its weights, so that figures of different nets are not mixed up."""

    name = "small-net"

    def __init__(self, net: _Net, task: Task, *, scale: float) -> None:
        self._net, self.task, self._scale = net, task, scale
        body = hashlib.sha256()
        for name, value in sorted(net.state_dict().items()):
            body.update(name.encode() + value.numpy().tobytes())
        self.digest = body.hexdigest()

    def outputs(self, values: Levels, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (n, 128) over their deviation in the train split, and what the net tells (n, names)."""
        features, told = _outputs(self._net, values)
        return features / np.float32(self._scale), told


def train_net(train: pa.Table, config: ImageMetricsConfig, /) -> FeatureNet:
    """The net after `net_steps` steps; the same bits for the same split and settings on one kind of machine."""
    task = task_of(train, config)
    values = pixels_of(train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.net_seed)
        net = _Net(values.shape[1], len(task.names))
        order = torch.Generator().manual_seed(config.net_seed)
        _fit(net, values, task, order, config)
    features, _ = _outputs(net, values[:SCALED_BY])
    return FeatureNet(net, task, scale=float(features.std()) or 1.0)


def _fit(net: _Net, values: Levels, task: Task, order: torch.Generator, config: ImageMetricsConfig) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    for step in range(config.net_steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / config.net_steps)
        rows = torch.randint(len(values), (min(config.net_rows, len(values)),), generator=order)
        x, target = _posed(scaled(values[rows.numpy()]), task, rows, order)
        told = net(x)
        loss = (
            functional.binary_cross_entropy_with_logits(told, target)
            if task.kind == "words"
            else functional.cross_entropy(told, target.long())
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _posed(x: Tensor, task: Task, rows: Tensor, order: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures moved a little, and what to tell of them; turned, where that is what to tell."""
    if task.kind == "turns":
        square = x.shape[2] == x.shape[3]
        turns = (
            torch.randint(4, (len(x),), generator=order) if square else 2 * torch.randint(2, (len(x),), generator=order)
        )
        x = torch.stack([torch.rot90(one, int(k), (1, 2)) for one, k in zip(x, turns, strict=True)])
        return x, turns.float()
    most = max(1, min(x.shape[2:]) // 16)
    down, across = (int(k) for k in torch.randint(2 * most + 1, (2,), generator=order))
    padded = functional.pad(x, (most, most, most, most), mode="replicate")
    moved = padded[:, :, down : down + x.shape[2], across : across + x.shape[3]]
    return moved, torch.from_numpy(task.targets)[rows]


@torch.no_grad()
def _outputs(net: _Net, values: Levels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    features, told = [], []
    for at in range(0, len(values), ROWS_AT_ONCE):
        hidden = net.body(scaled(values[at : at + ROWS_AT_ONCE]))
        features.append(hidden.numpy())
        told.append(net.head(functional.relu(hidden)).numpy())
    return np.concatenate(features), np.concatenate(told)


def scaled(values: Levels, /) -> Tensor:
    """Levels as numbers from -1 to 1, of at most 64 pixels a side."""
    x = torch.from_numpy(np.ascontiguousarray(values)).float() / 127.5 - 1.0
    longest = max(x.shape[2:])
    if longest <= LONGEST:
        return x
    size = [max(1, round(side * LONGEST / longest)) for side in x.shape[2:]]
    return functional.interpolate(x, size=size, mode="area")


def told_apart(made: Levels, real: Levels, /, *, folds: Sequence[NDArray[np.int64]], seed: int) -> NDArray[np.float64]:
    """Out-of-fold scores [made, then real] of a convolutional net that tells made pictures from real ones.

    `folds` are the rows that are held out in turn.
    """
    values = np.concatenate((made, real))
    label = torch.tensor([1.0] * len(made) + [0.0] * len(real))
    scores = np.empty(len(values))
    for number, held_out in enumerate(folds):
        rest = np.setdiff1d(np.arange(len(values)), held_out)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((seed + number) % 2**32)
            net = _Net(values.shape[1], 1, width=16, features=32)
            _fit_to_tell(net, values, label, rest, torch.Generator().manual_seed((seed + number) % 2**32))
        scores[held_out] = _outputs(net, values[held_out])[1][:, 0]
    return scores


EPOCHS, ROWS = 8, 64


def _fit_to_tell(net: _Net, values: Levels, label: Tensor, rest: NDArray[np.int64], order: torch.Generator) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    steps = EPOCHS * max(1, len(rest) // ROWS)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / steps)
        rows = torch.from_numpy(rest)[torch.randint(len(rest), (min(ROWS, len(rest)),), generator=order)]
        loss = functional.binary_cross_entropy_with_logits(net(scaled(values[rows.numpy()]))[:, 0], label[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
