"""Whether a convolutional net can tell made pictures from real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genwright.modalities.image.convnet import ConvNet, outputs_of, scaled
from genwright.modalities.image.pixels import Levels

EPOCHS, LEAST_STEPS, ROWS, RATE = 8, 120, 64, 0.002


def told_apart(made: Levels, real: Levels, /, *, folds: Sequence[NDArray[np.int64]], seed: int) -> NDArray[np.float64]:
    """Out-of-fold scores [made, then real]: the higher, the more a picture looks made.

    `folds` are the rows that are held out in turn, and together all. Source: Lopez-Paz & Oquab 2017 (arXiv:1610.06545).
    """
    values = np.concatenate((made, real))
    label = torch.tensor([1.0] * len(made) + [0.0] * len(real))
    scores = np.empty(len(values))
    for number, held_out in enumerate(folds):
        rest = np.setdiff1d(np.arange(len(values)), held_out)
        own = (seed + number) % 2**32
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own)
            net = ConvNet(values.shape[1], 1, width=16, features=32, detail=True)
            _fit(net, values, label, rest, torch.Generator().manual_seed(own))
        scores[held_out] = outputs_of(net, values[held_out])[1][:, 0]
    return scores


def _fit(net: ConvNet, values: Levels, label: Tensor, rest: NDArray[np.int64], order: torch.Generator) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    steps = max(LEAST_STEPS, EPOCHS * len(rest) // ROWS)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / steps)
        rows = torch.from_numpy(rest)[torch.randint(len(rest), (min(ROWS, len(rest)),), generator=order)]
        loss = functional.binary_cross_entropy_with_logits(net(scaled(values[rows.numpy()]))[:, 0], label[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
