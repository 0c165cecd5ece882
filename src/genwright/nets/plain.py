"""A switch: nets compute by formulas that `torch.func` can take apart, not by backward passes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN: ContextVar[bool] = ContextVar("plain", default=False)


def is_plain() -> bool:
    """Whether the switch is on."""
    return _PLAIN.get()


@contextmanager
def plain_formulas() -> Iterator[None]:
    """Turns the switch on; results are the same but for rounding, and slower."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)
