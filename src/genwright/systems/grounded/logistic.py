"""Logistic regression over a few named signals: how thresholds are calibrated. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from genwright.core import Config, DataError

Floats = NDArray[np.float64]
LEAST_SCALE = 0.02


class Logistic(Config):
    """P(yes) = 1 / (1 + exp(-(bias + sum of weight * (signal - mean) / scale)))."""

    signals: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    @classmethod
    def flat(cls, signals: Sequence[str], /) -> Self:
        """One that knows nothing: P(yes) is 0.5 whatever the signals."""
        size = len(signals)
        return cls(signals=tuple(signals), means=(0.0,) * size, scales=(1.0,) * size, weights=(0.0,) * size, bias=0.0)

    @classmethod
    def fit(
        cls,
        signals: Sequence[str],
        rows: Floats,
        labels: Sequence[float] | Floats,
        *,
        strength: float = 1.0,
        balanced: bool,
    ) -> Self:
        """The regression of `labels` (0 or 1) on `rows` (n, signals), L2 of 1 / `strength`.

        `balanced` weighs both labels alike, so that 0.5 is where they are equally likely whatever their numbers.

        Raises:
            DataError: all labels are the same.
        """
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

        wanted = np.asarray(labels, dtype=np.float64)
        if len(set(wanted.tolist())) < 2:
            raise DataError("calibration needs examples that hold and examples that do not", hint="add questions")
        # A signal that hardly varies here may vary elsewhere: it is not blown up.
        means, scales = rows.mean(axis=0), np.maximum(rows.std(axis=0), LEAST_SCALE)
        model = LogisticRegression(C=strength, class_weight="balanced" if balanced else None, max_iter=1000, tol=1e-8)
        model.fit((rows - means) / scales, wanted)
        rounded = [tuple(round(float(value), 9) for value in part) for part in (means, scales, model.coef_[0])]
        return cls(
            signals=tuple(signals), means=rounded[0], scales=rounded[1], weights=rounded[2],
            bias=round(float(model.intercept_[0]), 9),
        )  # fmt: skip

    def logits(self, rows: Floats, /) -> Floats:
        """Log-odds of each row (n, signals)."""
        standard = (rows - np.array(self.means)) / np.array(self.scales)
        return np.asarray(standard @ np.array(self.weights) + self.bias)

    def probabilities(self, rows: Floats, /) -> Floats:
        """P(yes) of each row (n, signals)."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.logits(rows))))
