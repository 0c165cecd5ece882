"""P-values of paired tests, as functions of arrays."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

EXACT_UP_TO = 50


def wilcoxon(differences: Floats, /) -> tuple[float, str]:
    """(two-sided p of the signed-rank test, method): symmetry of the differences about 0; zeros are dropped.

    Exact for at most 50 non-zero differences without ties in size, else the normal approximation with tie correction.
    Source: Wilcoxon 1945, by SciPy.
    """
    # Costs half a second to import, and most derivations need no test.
    from scipy import stats

    nonzero = differences[differences != 0]
    if len(nonzero) == 0:
        return 1.0, "Wilcoxon signed rank (all differences are 0)"
    tied = len(np.unique(np.abs(nonzero))) < len(nonzero)
    method: Literal["exact", "asymptotic"] = "asymptotic" if tied or len(nonzero) > EXACT_UP_TO else "exact"
    found = stats.wilcoxon(nonzero, zero_method="wilcox", method=method, correction=False)
    name = "exact" if method == "exact" else "normal approximation"
    return float(found.pvalue), f"Wilcoxon signed rank ({name}, {len(nonzero)} non-zero differences)"


def mcnemar(a: Floats, b: Floats, /, *, kind: Literal["exact", "mid-p"] = "mid-p") -> tuple[float, str]:
    """(two-sided p, method) that `a` and `b` (0 or 1) succeed equally often, from the units on which they differ.

    Source: McNemar 1947; mid-p: Fagerland, Lydersen, Laake 2013, who find it neither conservative nor liberal.
    """
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    n, fewer = only_a + only_b, min(only_a, only_b)
    name = f"McNemar {kind} ({n} discordant units)"
    if n == 0:
        return 1.0, name
    p = min(1.0, 2 * float(special.bdtr(fewer, n, 0.5)))
    if kind == "mid-p":
        at = float(special.bdtr(fewer, n, 0.5) - (special.bdtr(fewer - 1, n, 0.5) if fewer else 0.0))
        p = 1.0 if only_a == only_b else 2 * float(special.bdtr(fewer, n, 0.5)) - at
    return p, name
