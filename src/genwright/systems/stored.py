"""Settings that an artifact keeps as JSON. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genwright.core import IntegrityError
from genwright.core.digest import canonical_json


def write_stored(values: Mapping[str, Any], path: Path, /) -> None:
    """Writes the values; equal ones give equal bytes."""
    path.write_bytes(canonical_json(values) + b"\n")


def read_stored(path: Path, /) -> Mapping[str, Any]:
    """What `write_stored` wrote.

    Raises:
        IntegrityError: there is nothing, or it cannot be read.
    """
    try:
        values: Mapping[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{path.parent.name} holds no readable {path.name} ({error})", hint="genwright verify"
        ) from None
    return values
