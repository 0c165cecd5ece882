"""Correction for several tests at once."""

from collections.abc import Sequence


def holm(p_values: Sequence[float], /) -> list[float]:
    """Adjusted p-values, in the order given; rejecting those at or below alpha keeps the familywise error at alpha.

    Source: Holm 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
