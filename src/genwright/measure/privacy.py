"""What a training with bounded and noisy gradients can tell of one unit of its data."""

from __future__ import annotations

import warnings

from genwright.core import DataError, Derivation, Estimate, load_reference
from genwright.measure.units import Rows

METHOD = "Renyi accountant of the subsampled Gaussian mechanism, upper bound"


def epsilon(rows: Rows, derivation: Derivation) -> Estimate:
    """Epsilon at delta = `parameter` of all rows' steps together, each row with its noise multiplier and rate.

    Neighbours differ by one unit that is there or not; each step takes every unit with the rate's chance.
    Source: arXiv:1908.10530, section 3.3, turned into epsilon by arXiv:2004.00010, proposition 12.

    Raises:
        DataError: a noise multiplier is not positive, or a rate lies outside (0, 1].
        DependencyError: the extra `privacy` is not installed.
    """
    if not len(rows):
        return Estimate(None, 0, METHOD, reason="no rows")
    noise, rate, steps = (rows.values[role] for role in ("noise", "rate", "steps"))
    if bool((noise <= 0).any()) or bool((rate <= 0).any()) or bool((rate > 1).any()) or bool((steps < 0).any()):
        raise DataError("epsilon needs a positive noise multiplier, a rate in (0, 1] and no negative steps in each row")
    totals: dict[tuple[float, float], int] = {}
    for one in zip(noise.tolist(), rate.tolist(), steps.tolist(), strict=True):
        totals[one[:2]] = totals.get(one[:2], 0) + int(one[2])
    accountant = load_reference("opacus.accountants:RDPAccountant", extra="privacy")()
    accountant.history = [(sigma, share, count) for (sigma, share), count in totals.items() if count]
    with warnings.catch_warnings():
        # It says that more orders could give less: each order gives an upper bound, so the least of them is one.
        warnings.filterwarnings("ignore", message="Optimal order is")
        value = float(accountant.get_epsilon(delta=derivation.parameter))
    return Estimate(value, len(rows), f"{METHOD}, {sum(totals.values())} steps")
