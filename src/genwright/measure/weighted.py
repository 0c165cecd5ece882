"""Statistics of weighted rows: what a bootstrap needs of any estimator that is not a sum."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from genwright.measure.intervals import Interval, percentile
from genwright.measure.resample import unit_indices
from genwright.measure.units import Rows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Weighted:
    """A statistic of rows that count `w` times each: `of` maps weights [r, n] to values [r], NaN where there is none.

    Rows of one stratum are resampled among themselves. `ends` says how the interval is made: `percentile`, or
    the bootstrap's standard error around the estimate (`error`; `log_error`: of the logarithm) where resampling adds
    its bias a second time, as it does for every distance between distributions. `absent` is the reason of a NaN.
    """

    of: Callable[[Floats], Floats]
    absent: str
    strata: Integers | None = None
    ends: Literal["percentile", "error", "log_error"] = "percentile"
    bounds: tuple[float, float] = (-np.inf, np.inf)

    def value(self, num_rows: int, /) -> float | None:
        """The statistic with every row counted once."""
        found = float(self.of(np.ones((1, num_rows)))[0])
        return found if np.isfinite(found) else None


def bootstrap(statistic: Weighted, rows: Rows, /, *, level: float, resamples: int, seed: int) -> Interval:
    """The bootstrap interval of `statistic`, within its bounds.

    Where no cluster spans two strata, each stratum keeps its size. The quantile is Student's t with as many
    degrees of freedom as the smallest stratum has units, less one (Hesterberg 2015, 5.3).
    """
    units = _members(rows, statistic.strata)
    fewest = min(len(members) for members in units)
    if fewest < 2:
        return Interval("bootstrap", reason=f"an interval needs 2 independent units; there is {fewest}")
    drawn = _weights(rows, units, resamples=resamples, seed=seed)
    values = np.concatenate([statistic.of(weights) for weights in drawn])
    if not np.isfinite(values).all():
        return Interval("percentile", reason=f"in some resamples {statistic.absent}")
    if statistic.ends == "percentile":
        return percentile(values, level=level, units=fewest, freedom=fewest - 1.0)
    estimate = statistic.value(len(rows))
    assert estimate is not None
    return _around(estimate, values, statistic, quantile=float(special.stdtrit(fewest - 1.0, 0.5 + level / 2)))


def _around(estimate: float, values: Floats, statistic: Weighted, *, quantile: float) -> Interval:
    least, most = statistic.bounds
    if statistic.ends == "log_error":
        if estimate <= 0 or (values <= 0).any():
            return Interval("standard error of the logarithm", reason="in some resamples the ratio is 0")
        factor = float(np.exp(quantile * np.log(values).std(ddof=1)))
        return Interval("standard error of the logarithm", estimate / factor, estimate * factor)
    half = quantile * float(values.std(ddof=1))
    return Interval("standard error", max(least, estimate - half), min(most, estimate + half))


def _members(rows: Rows, strata: Integers | None) -> list[Integers]:
    """The units (clusters) of each stratum; one stratum of all where a cluster spans two."""
    every = np.arange(rows.num_clusters, dtype=np.int64)
    if strata is None:
        return [every]
    of_unit = np.zeros(rows.num_clusters, dtype=np.int64)
    of_unit[rows.clusters] = strata
    if (of_unit[rows.clusters] != strata).any():
        return [every]
    return [np.flatnonzero(of_unit == stratum).astype(np.int64) for stratum in np.unique(strata)]


def _weights(rows: Rows, units: list[Integers], *, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each row is in each resample: blocks of shape [r, n]."""
    streams = [
        unit_indices(len(members), resamples=resamples, seed=np.random.SeedSequence([seed, number]), width=len(rows))
        for number, members in enumerate(units)
    ]
    for blocks in zip(*streams, strict=True):
        counts = np.zeros((len(blocks[0]), rows.num_clusters))
        for members, indices in zip(units, blocks, strict=True):
            size = len(members)
            flat = (indices + np.arange(len(indices))[:, None] * size).ravel()
            counts[:, members] = np.bincount(flat, minlength=len(indices) * size).reshape(len(indices), size)
        yield counts if rows.num_clusters == len(rows) else counts[:, rows.clusters]
