"""Progress that nobody watches: the default of the Python API."""

from collections.abc import Iterator
from contextlib import contextmanager


class QuietTask:
    """A bar that is not drawn."""

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        """Do nothing."""


class Quiet:
    """Progress without output."""

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[QuietTask]:
        """A bar that is not drawn."""
        yield QuietTask()

    def say(self, message: str, /) -> None:
        """Do nothing."""
