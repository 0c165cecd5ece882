"""Two estimates of different units: their difference from their intervals alone."""

from __future__ import annotations

from scipy import special  # type: ignore[import-untyped]

from genwright.core import Estimate

METHOD = "square-and-add of both intervals, taken as independent"


def independent_difference(new: Estimate, old: Estimate, /) -> tuple[Estimate, float] | None:
    """The difference new minus old and the two-sided p that it is 0; None where one has no interval, or another level.

    The interval joins the limits of both on the side where they matter, and p is below 1 - level where it leaves out 0.
    Where both were measured on some of the same units (held-out rows beside two sets of samples) it is too wide more
    often than too narrow. Source: MOVER, Zou & Donner 2008 (Statistics in Medicine 27), equation 9.
    """
    numbers = (new.value, new.low, new.high, old.value, old.low, old.high, new.level)
    if any(number is None for number in numbers) or new.level != old.level:
        return None
    a, a_low, a_high, b, b_low, b_high, level = (float(number) for number in numbers if number is not None)
    gap = a - b
    below = ((a - a_low) ** 2 + (b_high - b) ** 2) ** 0.5
    above = ((a_high - a) ** 2 + (b - b_low) ** 2) ** 0.5
    towards_zero = below if gap > 0 else above
    width = float(special.ndtri(0.5 + level / 2))
    z = width * abs(gap) / towards_zero if towards_zero > 0 else (0.0 if gap == 0 else float("inf"))
    p = float(2 * special.ndtr(-z))
    return Estimate(gap, min(new.n, old.n), METHOD, gap - below, gap + above, level), p
