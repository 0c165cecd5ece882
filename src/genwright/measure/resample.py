"""Bootstrap replicates that are the same bits on every machine and with every version of NumPy."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genwright.measure.statistic import Statistic

Floats = NDArray[np.float64]

BLOCK = 1 << 20  # indices drawn at a time: 4 MB, whatever the number of units


def unit_indices(
    num_units: int, /, *, resamples: int, seed: int | np.random.SeedSequence, width: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Blocks of rows of `num_units` indices drawn with replacement, `resamples` rows in all.

    A block has as many rows as fit with `width` numbers each (None: `num_units`).

    Made of the raw stream of PCG64, which NumPy guarantees not to change (NEP 19), unlike the methods of `Generator`.
    The bias of the multiplication is below `num_units / 2^32`.
    """
    stream = np.random.PCG64(seed)
    rows = max(1, BLOCK // max(1, num_units if width is None else width))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        raw = stream.random_raw((count * num_units + 1) // 2)
        halves = np.stack([raw >> np.uint64(32), raw & np.uint64(0xFFFFFFFF)], axis=1).ravel()[: count * num_units]
        scaled = (halves * np.uint64(num_units)) >> np.uint64(32)
        yield scaled.astype(np.int64).reshape(count, num_units)


def replicates(statistic: Statistic, /, *, resamples: int, seed: int) -> Floats:
    """The statistic of each resample; infinite or NaN where a denominator sums to 0."""
    blocks = []
    for indices in unit_indices(statistic.num_units, resamples=resamples, seed=seed):
        total = np.zeros(len(indices))
        for term in statistic.terms:
            above = term.numerator[indices].sum(axis=1)
            total += term.sign * (above if term.denominator is None else _divide(above, term.denominator, indices))
        blocks.append(total)
    return np.concatenate(blocks)


def studentized(influence: Floats, /, *, resamples: int, seed: int) -> Floats:
    """(replicate - estimate) / its own standard error, for a mean of units whose `influence` is given.

    Resamples of identical units have no standard error and are left out.
    """
    squares, n, blocks = np.square(influence), len(influence), []
    for indices in unit_indices(n, resamples=resamples, seed=seed):
        deviation = influence[indices].sum(axis=1)
        spread = squares[indices].sum(axis=1) - np.square(deviation) / n
        error = np.sqrt(np.maximum(spread, 0.0) * n / (n - 1))
        usable = error > 1e-6 * np.sqrt(squares.sum())
        blocks.append(deviation[usable] / error[usable])
    return np.concatenate(blocks)


def _divide(above: Floats, denominator: Floats, indices: NDArray[np.int64]) -> Floats:
    if (denominator == denominator[0]).all():
        return np.asarray(above / denominator.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / denominator[indices].sum(axis=1))
