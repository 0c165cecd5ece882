"""Logistic regression over a few named signals: how thresholds are calibrated. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

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
        return cls._rounded(signals, means, scales, model.coef_[0], float(model.intercept_[0]))

    @classmethod
    def fit_choice(cls, signals: Sequence[str], sets: Sequence[tuple[Floats, Floats]], /, *, penalty: float) -> Self:
        """Weights by which the row labelled 1 is chosen among those of its set (n, signals), with an L2 `penalty`.

        Where several are labelled, any of them will do. The bias makes P(yes) the share of rows that are labelled, so
        that probabilities compare across sets. Source: the conditional logit of McFadden, 1974.

        Raises:
            DataError: no set has a row with label 1 and another without.
        """
        from scipy.optimize import brentq, minimize  # type: ignore[import-untyped]

        told = [(rows, labels > 0) for rows, labels in sets if 0 < int((labels > 0).sum()) < len(labels)]
        if not told:
            raise DataError("calibration needs examples that hold and examples that do not", hint="add questions")
        everything = np.concatenate([rows for rows, _ in told])
        means, scales = everything.mean(axis=0), np.maximum(everything.std(axis=0), LEAST_SCALE)
        standard = [((rows - means) / scales, held) for rows, held in told]
        found = minimize(_choice_loss, np.zeros(len(means)), args=(standard, penalty), jac=True, method="L-BFGS-B")
        worth = np.concatenate([rows @ found.x for rows, _ in standard])
        share = float(np.concatenate([held for _, held in standard]).mean())
        bias = brentq(lambda bias: float(_yes(worth + bias).mean()) - share, -100.0, 100.0)
        return cls._rounded(signals, means, scales, found.x, bias)

    @classmethod
    def _rounded(cls, signals: Sequence[str], means: Floats, scales: Floats, weights: Floats, bias: float) -> Self:
        parts = [tuple(round(float(value), 9) for value in part) for part in (means, scales, weights)]
        return cls(signals=tuple(signals), means=parts[0], scales=parts[1], weights=parts[2], bias=round(bias, 9))

    def logits(self, rows: Floats, /) -> Floats:
        """Log-odds of each row (n, signals)."""
        standard = (rows - np.array(self.means)) / np.array(self.scales)
        return np.asarray(standard @ np.array(self.weights) + self.bias)

    def probabilities(self, rows: Floats, /) -> Floats:
        """P(yes) of each row (n, signals)."""
        return _yes(self.logits(rows))


def _yes(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def _choice_loss(weights: Floats, sets: Sequence[tuple[Floats, Any]], penalty: float) -> tuple[float, Floats]:
    """Mean -log P(a labelled row is chosen) with its penalty, and the gradient."""
    loss, slope = penalty / 2 * float(weights @ weights), penalty * weights
    for rows, held in sets:
        worth = rows @ weights
        chances = np.exp(worth - worth.max())
        chosen, right = chances / chances.sum(), np.where(held, chances, 0.0)
        loss -= float(np.log(right.sum() / chances.sum())) / len(sets)
        slope = slope + rows.T @ (chosen - right / right.sum()) / len(sets)
    return loss, slope
