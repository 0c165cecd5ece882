"""Whether samples are of many kinds: how many different held-out samples they come near."""

from __future__ import annotations

import pyarrow as pa

from genwright.core.protocols import ModelledModality

MOST_SAMPLES = 500


def reached(made: pa.Table, held_out: pa.Table, modality: ModelledModality, /) -> list[bool | None]:
    """For each made sample, whether the held-out sample nearest to it is nearest to none before it.

    Of legal samples only, and of the first 500 beside as many held-out ones; None for the others. A system that has
    collapsed comes near the same few again and again, however much its samples differ from each other.
    """
    legal = [at for at, why in enumerate(modality.validate(made)) if why is None]
    chosen = legal[: min(MOST_SAMPLES, len(held_out))]
    found: list[bool | None] = [None] * len(made)
    if not chosen:
        return found
    _, nearest = modality.nearest(made.take(pa.array(chosen)), held_out.slice(0, MOST_SAMPLES))
    seen: set[int] = set()
    for at, place in zip(chosen, nearest.tolist(), strict=True):
        found[at] = place not in seen
        seen.add(place)
    return found
