"""The facts of `formats.toml`, read once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def formats() -> dict[str, Any]:
    """Tables of known formats, by name."""
    return tomllib.loads(files("genwright.detect").joinpath("formats.toml").read_text("utf-8"))
