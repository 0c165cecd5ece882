"""Statistics that are sums, ratios of sums or differences of such, over units that can be resampled together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """One ratio of sums, `sign * sum(numerator) / sum(denominator)`; a plain sum where there is no denominator."""

    numerator: Floats
    denominator: Floats | None
    sign: float = 1.0


@dataclass(frozen=True)
class Statistic:
    """A sum of terms over the same units (rows, or clusters of rows)."""

    terms: Sequence[Term]

    @property
    def num_units(self) -> int:
        """How many units can be resampled."""
        return len(self.terms[0].numerator)

    def value(self) -> float | None:
        """The statistic of all units; None where a denominator sums to 0."""
        total = 0.0
        for term in self.terms:
            below = 1.0 if term.denominator is None else float(term.denominator.sum())
            if below == 0.0:
                return None
            total += term.sign * float(term.numerator.sum()) / below
        return total

    def influence(self) -> Floats:
        """What each unit adds to the deviation of the statistic, to first order; sums to 0.

        Source: Woodruff 1971 (linearised variance of a ratio); for a mean it is `(x - mean) / n`.
        """
        total = np.zeros(self.num_units)
        for term in self.terms:
            x, y = term.numerator, term.denominator
            total += term.sign * (x - x.mean() if y is None else (x - x.sum() / y.sum() * y) / y.sum())
        return total

    def standard_error(self) -> float:
        """The linearised standard error, with the factor n/(n-1)."""
        n = self.num_units
        return float(np.sqrt(n / (n - 1) * np.square(self.influence()).sum()))

    def effective_units(self) -> float:
        """How many units of equal weight carry as much: (sum w)^2 / sum w^2 of the denominators, the least over terms.

        Source: Kish 1965, section 11.7.
        """
        weights = [term.denominator for term in self.terms if term.denominator is not None]
        return min([float(w.sum() ** 2 / np.square(w).sum()) for w in weights], default=float(self.num_units))

    def most_common_share(self) -> float:
        """The share of units that have the most common influence."""
        _, counts = np.unique(self.influence(), return_counts=True)
        return float(counts.max() / self.num_units)

    def is_plain_mean(self) -> bool:
        """True where every unit weighs the same, so that the statistic is a mean of independent numbers."""
        return all(t.denominator is None or bool((t.denominator == t.denominator[0]).all()) for t in self.terms)
