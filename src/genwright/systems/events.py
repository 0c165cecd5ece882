"""Server-sent events that carry JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

DATA, DONE = b"data:", b"[DONE]"


def read_events(lines: Iterable[bytes], /) -> Iterator[dict[str, Any]]:
    """The object of each event, up to the mark that ends a stream.

    Raises:
        ValueError: an event is no JSON object.
    """
    for line in lines:
        if not line.startswith(DATA):
            continue
        body = line[len(DATA) :].strip()
        if body == DONE:
            return
        event = json.loads(body)
        if not isinstance(event, dict):
            raise ValueError(f"an event is a {type(event).__name__}")
        yield event
