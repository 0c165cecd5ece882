"""How strange samples are to a system: by its likelihood, and by what its latent keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import CapabilityError
from genwright.modalities.dataset import read_rows
from genwright.systems.rows import RowSystem

SCORES = {"surprise": "by negative log-likelihood", "rebuilt": "by reconstruction error"}
MOST_HELD_OUT = 1000


def strangeness(system: RowSystem, rows: pa.Table, /) -> dict[str, NDArray[np.float64] | None]:
    """Scores of each row, high where it is strange; None where the family has no such score. No condition is told."""
    told = getattr(getattr(system.codec, "conditioner", None), "names", ())
    rows = rows.drop_columns([name for name in told if name in rows.column_names])
    nats, _ = system.log_prob(rows)
    surprise = None if nats is None else -nats / system.codec.units(rows)
    return {"surprise": surprise, "rebuilt": system.reconstruction_error(rows)}


def judged(system: RowSystem, rows: pa.Table, /, *, dataset: Path) -> tuple[list[dict[str, Any]], int]:
    """A line per row with each score there is and its p-value, and the number of held-out samples these are of.

    The p-value is the share of held-out samples, of 1,000 at most and the row itself, that are at least as strange: of
    rows like them at most a share p has it as low as p. Source: conformal p-values, Vovk et al. 2005, section 2.3.

    Raises:
        CapabilityError: the family has neither a likelihood nor a latent that it can decode.
    """
    held_out = read_rows(dataset, split="test")
    order = np.random.default_rng(0).permutation(len(held_out))[:MOST_HELD_OUT]
    known, asked = (strangeness(system, part) for part in (held_out.take(pa.array(order)), rows))
    lines: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for name, found in asked.items():
        usual = known[name]
        if found is None or usual is None:
            continue
        for line, value in zip(lines, found.tolist(), strict=True):
            line[name] = value
            line[f"{name} p"] = (1 + int((usual >= value).sum())) / (1 + len(usual))
    if lines and not lines[0]:
        raise CapabilityError(
            "the family of this system has neither a likelihood nor a latent that it can decode",
            hint="train.family: 'autoregressive' and 'vae' have one",
        )
    return lines, len(order)
