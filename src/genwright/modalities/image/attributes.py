"""Which attributes of DICOM files may become columns; the facts of `attributes.toml`, read once."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["text", "number"]


@cache
def allowed() -> Mapping[str, Kind]:
    """The attributes that do not say who a person is, by their DICOM keywords, and what each holds."""
    facts = tomllib.loads(files("genwright.modalities.image").joinpath("attributes.toml").read_text("utf-8"))
    kinds: tuple[Kind, ...] = ("text", "number")
    return {name: kind for kind in kinds for name in facts[kind]}


def refuse_others(names: Iterable[str], /) -> None:
    """Passes where all names may become columns.

    Raises:
        ValueError: one may say who a person is.
    """
    for name in names:
        if name not in allowed():
            raise ValueError(
                f"{name} is not read: it may say who a person is, or is not known to say nothing of that; "
                f"allowed are {', '.join(sorted(allowed()))}"
            )
