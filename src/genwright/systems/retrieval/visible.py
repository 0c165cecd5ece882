"""Which chunks a search may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from genwright.core import SpecError
from genwright.systems.retrieval.engine import Mask
from genwright.systems.retrieval.passage import Span
from genwright.systems.retrieval.snapshot import Snapshot

FIELDS = ("source", "document", "title", "path")


def visible(
    snapshot: Snapshot, filters: Mapping[str, Sequence[str]] | None, exclude: Collection[Span], /
) -> Mask | None:
    """Per row, whether it passes every filter and overlaps no span; None where all rows do.

    Raises:
        SpecError: there is no such filter.
    """
    if not filters and not exclude:
        return None
    mask = np.ones(snapshot.facts.num_chunks, dtype=np.bool_)
    for name, values in (filters or {}).items():
        mask &= _passes(snapshot, name, frozenset([values] if isinstance(values, str) else values))
    at = {document.id: place for place, document in enumerate(snapshot.documents)}
    places = snapshot.places
    for document, start, end in exclude:
        if document in at:
            own = places[:, 0] == at[document]
            mask &= ~(own & (places[:, 1] < end) & (places[:, 2] > start))
    return mask


def _passes(snapshot: Snapshot, name: str, values: frozenset[str]) -> Mask:
    if name == "path":
        return np.fromiter(
            (not values.isdisjoint(path) for path in snapshot.paths), np.bool_, snapshot.facts.num_chunks
        )
    if name not in FIELDS:
        raise SpecError(f"there is no filter '{name}'", hint=f"filters are {', '.join(FIELDS)}")
    field = "id" if name == "document" else name
    good = np.array([getattr(document, field) in values for document in snapshot.documents], dtype=np.bool_)
    found: Mask = good[snapshot.places[:, 0]]
    return found
