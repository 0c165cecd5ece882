"""How many units a comparison needs, and what it can see with those it has."""

import math
from collections.abc import Callable

from scipy import special  # type: ignore[import-untyped]

from genwright.core import SpecError

MAX_UNITS = 1 << 40


def power_paired_means(effect: float, /, *, sd: float, n: int, level: float = 0.95) -> float:
    """The probability that a two-sided paired t test at `1 - level` sees a true mean difference of `effect`.

    `sd` is the standard deviation of the differences. Source: Cohen 1988, chapter 2 (non-central t).
    """
    if n < 2:
        return 0.0
    critical = float(special.stdtrit(n - 1, 0.5 + level / 2))
    shift = abs(effect) / sd * math.sqrt(n)
    return float(1 - special.nctdtr(n - 1, shift, critical) + special.nctdtr(n - 1, shift, -critical))


def sample_size_paired_means(effect: float, /, *, sd: float, power: float = 0.8, level: float = 0.95) -> int:
    """The fewest units with which a paired t test reaches `power`.

    Raises:
        SpecError: the effect is 0.
    """
    return _fewest(lambda n: power_paired_means(effect, sd=sd, n=n, level=level), effect=effect, power=power)


def power_proportions(first: float, second: float, *, n: int, level: float = 0.95) -> float:
    """The probability that two independent groups of `n` with these true shares differ in a two-sided test.

    Source: Cohen 1988, chapter 6 (arcsine transform, normal approximation).
    """
    effect = 2 * (math.asin(math.sqrt(first)) - math.asin(math.sqrt(second)))
    z, shift = float(special.ndtri(0.5 + level / 2)), abs(effect) * math.sqrt(n / 2)
    return float(special.ndtr(shift - z) + special.ndtr(-shift - z))


def sample_size_proportions(first: float, second: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """The fewest units per group with which two shares are told apart with `power`.

    Raises:
        SpecError: the shares are equal.
    """
    return _fewest(lambda n: power_proportions(first, second, n=n, level=level), effect=first - second, power=power)


def _fewest(power_of: Callable[[int], float], *, effect: float, power: float) -> int:
    if effect == 0:
        raise SpecError("an effect of 0 is never seen; state the smallest difference that matters")
    high = 2
    while power_of(high) < power and high < MAX_UNITS:
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= power else (middle + 1, high)
    return high
