"""A small frozen net trained on the train split, whose features pictures are compared by."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genwright.modalities.condition import words_of
from genwright.modalities.image.config import ImageMetricsConfig
from genwright.modalities.image.convnet import ConvNet, outputs_of, scaled
from genwright.modalities.image.pixels import Levels, pixels_of

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
            place = {name: at for at, name in enumerate(names)}
            return Task("classes", tuple(names), np.array([place[one] for one in labels], dtype=np.float32))
    if config.caption in train.column_names:
        words = [set(words_of(str(value or ""))) for value in train.column(config.caption).to_pylist()]
        counts = Counter(word for one in words for word in one)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        known = sorted(word for word in ranked[:MOST_WORDS] if counts[word] >= LEAST_USES)
        if known:
            held = np.array([[float(word in one) for word in known] for one in words], dtype=np.float32)
            return Task("words", tuple(known), held)
    return Task("turns", ("0", "90", "180", "270"), np.zeros(len(train), dtype=np.float32))


class FeatureNet:
    """The trained net. `digest` is that of its weights, so that figures of different nets are not mixed up."""

    name = "small-net"

    def __init__(self, net: ConvNet, task: Task, *, scale: float) -> None:
        self._net, self.task, self._scale = net, task, scale
        body = hashlib.sha256()
        for name, value in sorted(net.state_dict().items()):
            body.update(name.encode() + value.numpy().tobytes())
        self.digest = body.hexdigest()

    def features(self, values: Levels, /) -> NDArray[np.float32]:
        """Those of `outputs`."""
        return self.outputs(values)[0]

    def outputs(self, values: Levels, /) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (n, 128) over their deviation in the train split, and what the net tells (n, names)."""
        features, told = outputs_of(self._net, values)
        return features / np.float32(self._scale), told


def train_net(train: pa.Table, config: ImageMetricsConfig, /) -> FeatureNet:
    """The net after `net_steps` steps; the same bits for the same split and settings on one kind of machine."""
    task = task_of(train, config)
    values = pixels_of(train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.net_seed)
        net = ConvNet(values.shape[1], len(task.names))
        order = torch.Generator().manual_seed(config.net_seed)
        _fit(net, values, task, order, config)
    features, _ = outputs_of(net, values[:SCALED_BY])
    return FeatureNet(net, task, scale=float(features.std()) or 1.0)


def _fit(net: ConvNet, values: Levels, task: Task, order: torch.Generator, config: ImageMetricsConfig) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    for step in range(config.net_steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / config.net_steps)
        rows = torch.randint(len(values), (min(config.net_rows, len(values)),), generator=order)
        x, target = _posed(scaled(values[rows.numpy()]), task, rows, order)
        loss = _loss(net(x), target, task)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _loss(told: Tensor, target: Tensor, task: Task) -> Tensor:
    """Cross-entropy with the class, or with a picture's words in equal shares.

    One loss per word would teach little but how rare most words are.
    """
    if task.kind != "words":
        return functional.cross_entropy(told, target.long())
    shares = target / target.sum(1, keepdim=True).clamp_min(1.0)
    return functional.cross_entropy(told, shares)


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
