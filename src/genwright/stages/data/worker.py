"""`python -m genwright.stages.data.worker`: cleans batches that come in on standard input until it closes."""

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from genwright.stages.data.clean import Cleaned, clean_batch, new_near, steps
from genwright.stages.data.config import DataConfig
from genwright.stages.data.pool import receive, send

_FIELDS = tuple(field.name for field in fields(Cleaned))


class Cleaner:
    """The steps of one configuration, ready to answer batches."""

    def __init__(self, config: DataConfig, /) -> None:
        self._steps = steps(config)
        self._near = new_near(config.near)

    def __call__(self, texts: Sequence[str], /) -> list[Cleaned]:
        """One answer per text, in order."""
        return clean_batch(texts, chosen=self._steps, near=self._near)


def crossing(answer: Sequence[Cleaned], /) -> list[tuple[Any, ...]]:
    """The answers as tuples that cross a pipe."""
    return [tuple(getattr(cleaned, name) for name in _FIELDS) for cleaned in answer]


def crossed(rows: Sequence[tuple[Any, ...]], /) -> list[Cleaned]:
    """The answers that crossed a pipe."""
    return [Cleaned(*row) for row in rows]


def main() -> None:
    """Reads the configuration, then batches, until the parent closes the pipe or is gone."""
    given, out = sys.stdin.buffer, sys.stdout.buffer
    cleaner = Cleaner(DataConfig.model_validate(json.loads(receive(given))))
    while True:
        try:
            batch = receive(given)
        except EOFError:
            return
        send(out, crossing(cleaner(batch)))


if __name__ == "__main__":
    main()
