"""Errors a user meets: each says what happened, the value, what is allowed and what to do."""

from typing import ClassVar


class GenwrightError(Exception):
    """A failure with an exit code; `hint` is the next step for the reader."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, /, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SpecError(GenwrightError):
    """The project file, a `--set`, or a call is wrong."""

    exit_code = 2
    code = "spec"


class DataError(GenwrightError):
    """A file or a sample cannot be read as what it claims to be."""

    exit_code = 2
    code = "data"


class CapabilityError(GenwrightError):
    """Two parts do not fit: representation, ability or device."""

    exit_code = 2
    code = "capability"


class GateError(GenwrightError):
    """A release policy said no."""

    exit_code = 3
    code = "gate"


class DependencyError(GenwrightError):
    """An optional extra is missing; the hint holds the command that installs it."""

    exit_code = 5
    code = "dependency"


class DivergenceError(GenwrightError):
    """Training left the numbers that can be trained on (NaN, infinity, runaway loss)."""

    code = "divergence"


class IntegrityError(GenwrightError):
    """Stored bytes are not the bytes that were stored."""

    code = "integrity"


class StorageError(GenwrightError):
    """The disk is full, read-only or otherwise refuses to keep what was made."""

    code = "storage"


class Interrupted(GenwrightError):  # noqa: N818 (a stop the user asked for is no error)
    """The user stopped the work; what was done is saved."""

    exit_code = 130
    code = "interrupted"
