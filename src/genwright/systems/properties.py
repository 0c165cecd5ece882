"""Numbers of a sample that are predicted from its embedding: with an interval, and whether training knew its like."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from genwright.core import IntegrityError
from genwright.systems.manifest import PropertiesManifest

Floats = NDArray[np.floating[Any]]
NAME = "properties.safetensors"
ROWS_AT_ONCE = 256
LEAST_SPREAD = 1e-6
ALPHAS = tuple(10.0**power for power in range(-3, 6))


@dataclass(frozen=True)
class Predictions:
    """Of n samples and k numbers: what is expected (n, k), half the interval (k), and nearness to train samples.

    `distance` (n) is that of a standardised embedding to the nearest of train, divided by the root of its size;
    `inside` (n) whether that is as near as all but a few held-out samples are.
    """

    values: Floats
    half_widths: Floats
    distance: Floats
    inside: NDArray[np.bool_]


@dataclass(frozen=True)
class PropertyHead:
    """What was fitted, in arrays: d entries of an embedding, k numbers, m embeddings of train samples that are kept."""

    centre: Floats  # (d), and the spread of each entry beside it
    spread: Floats
    weights: Floats  # (d, k), of the standardised embedding
    bias: Floats  # (k), the mean of train
    half_widths: Floats  # (k)
    known: Floats  # (m, d), standardised
    known_values: Floats  # (m, k), NaN where a sample has none
    reach: Floats  # (1), the distance up to which a sample is inside the domain

    def predict(self, embeddings: Floats, *, neighbours: int = 0) -> Predictions:
        """Of embeddings (n, d): by ridge regression, or with `neighbours` by the mean of so many nearest ones."""
        rows = (embeddings - self.centre) / self.spread
        squares, nearest = _nearest(rows, self.known, count=max(1, neighbours))
        values = rows @ self.weights + self.bias
        if neighbours:
            near = self.known_values[nearest]
            told = np.isfinite(near)
            total, count = np.where(told, near, 0.0).sum(1), told.sum(1)
            values = np.where(count > 0, total / np.maximum(count, 1), self.bias)
        distance = np.sqrt(squares[:, 0] / rows.shape[1])
        return Predictions(values, self.half_widths, distance, distance <= self.reach[0])

    def save(self, folder: Path, /) -> None:
        """Writes the arrays; equal heads give equal bytes."""
        arrays = {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}
        save_file(arrays, folder / NAME)

    @classmethod
    def load(cls, folder: Path, /) -> PropertyHead:
        """The head in that folder.

        Raises:
            IntegrityError: it cannot be read.
        """
        try:
            return cls(**load_file(folder / NAME))
        except (OSError, SafetensorError, TypeError) as error:
            raise IntegrityError(f"{NAME} cannot be read ({error})", hint="genwright verify") from None


def fit_head(
    train: tuple[Floats, Floats], calibration: tuple[Floats, Floats], /, *, manifest: PropertiesManifest
) -> PropertyHead:
    """Fitted on embeddings and numbers of train samples; intervals and domain follow from the calibration samples.

    Each number has a ridge regression whose penalty is chosen by leave-one-out error (scikit-learn's `RidgeCV`), on
    the rows that have it. Intervals are those of split conformal prediction: the half-width is the
    ceil((n + 1) x coverage)-th smallest error of n calibration samples (Lei et al. 2018, section 2.2), infinite where n
    is too small for that. Inside the domain is what is at most as far from the nearest train embedding as the share
    `domain` of the calibration samples.
    """
    rows, targets = train
    centre, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread > LEAST_SPREAD, spread, 1.0)
    rows = ((rows - centre) / spread).astype(np.float32)
    weights, bias = _ridge(rows, targets)
    blank = np.zeros(targets.shape[1])
    head = PropertyHead(centre, spread, weights, bias, blank, rows, targets, np.array([np.inf]))
    found = head.predict(calibration[0], neighbours=manifest.neighbours)
    errors = np.abs(found.values - calibration[1])
    widths = np.array([conformal(column[np.isfinite(column)], coverage=manifest.coverage) for column in errors.T])
    reach = np.array([np.quantile(found.distance, manifest.domain)])
    return PropertyHead(centre, spread, weights, bias, widths, rows, targets, reach)


def conformal(errors: Floats, /, *, coverage: float) -> float:
    """The half-width that covers a new sample with at least that chance, if it is like those of `errors`.

    >>> conformal(np.array([3.0, 1.0, 2.0, 4.0]), coverage=0.8)
    4.0
    """
    place = math.ceil((len(errors) + 1) * coverage)
    return float(np.sort(errors)[place - 1]) if place <= len(errors) else math.inf


def _ridge(rows: Floats, targets: Floats) -> tuple[Floats, Floats]:
    # Costs a second to import, and few systems predict.
    from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]

    weights, bias = np.zeros((rows.shape[1], targets.shape[1])), np.zeros(targets.shape[1])
    told = np.isfinite(targets)
    for pattern in np.unique(told, axis=1).T:
        columns = np.flatnonzero((told == pattern[:, None]).all(0))
        if pattern.sum() > 1:
            chosen = targets[np.ix_(pattern, columns)]
            model = RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(rows[pattern].astype(np.float64), chosen)
            weights[:, columns], bias[columns] = model.coef_.reshape(len(columns), -1).T, model.intercept_
    return weights, bias


def _nearest(rows: Floats, known: Floats, *, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Squared distances to the nearest `count` of `known`, nearest first, and which those are."""
    count, size = min(count, len(known)), (known**2).sum(1)
    squares, places = [], []
    for at in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[at : at + ROWS_AT_ONCE]
        all_squares = np.maximum((part**2).sum(1)[:, None] - 2.0 * part @ known.T + size, 0.0)
        order = np.argsort(all_squares, axis=1, kind="stable")[:, :count]
        places.append(order)
        squares.append(np.take_along_axis(all_squares, order, axis=1))
    return cast("Any", np.concatenate(squares)), np.concatenate(places)
