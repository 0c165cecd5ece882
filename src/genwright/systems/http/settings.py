"""Which server, which model, and how patiently. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from genwright.core import Config, IntegrityError
from genwright.core.digest import canonical_json

REMOTE = "remote.json"
UNPINNED = "unpinned: which weights answer is not known"
"""What claims on such a model say of it."""


class RemoteSettings(Config):
    """A model behind `url` (it ends in `/v1`). `key_variable` names the environment variable that holds the key.

    A request that meets 429, 500, 502, 503, 504 or a time-out is sent again, at most `max_retries` times, after the
    time that the server names or twice as long as before. `requests_per_minute` and `at_once` bound what is sent.
    Prices are per million tokens, in the currency of the contract.
    """

    url: str = Field(pattern=r"^https?://[^\s]+$")
    model: str = Field(min_length=1)
    key_variable: str | None = None
    timeout_seconds: float = Field(default=60.0, gt=0)
    max_retries: int = Field(default=5, ge=0, le=20)
    requests_per_minute: float | None = Field(default=None, gt=0)
    at_once: int = Field(default=4, ge=1, le=64)
    input_price: float = Field(default=0.0, ge=0)
    output_price: float = Field(default=0.0, ge=0)


def write_remote(settings: RemoteSettings, /, *, folder: Path) -> None:
    """Writes `remote.json`; it names the key's variable and holds no key."""
    (folder / REMOTE).write_bytes(canonical_json(settings.model_dump(mode="json")) + b"\n")


def read_remote(folder: Path, /) -> RemoteSettings:
    """The settings in that folder.

    Raises:
        IntegrityError: there are none, or they cannot be read.
    """
    try:
        values = json.loads((folder / REMOTE).read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder.name} holds no readable {REMOTE} ({error})", hint="genwright verify") from None
    return RemoteSettings.parse(values, where=REMOTE)
