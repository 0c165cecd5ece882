"""A system that draws one picture in the style of another, by nets that are part of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genwright.core import CapabilityError, IntegrityError
from genwright.core.digest import canonical_json
from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.command import ENDS, SOURCES, Method, check_strength, draw, load_styler
from genwright.modalities.image.style.picture import check_name, open_picture, save_picture
from genwright.modalities.image.style.weights import files_of
from genwright.systems.manifest import Manifest

NAME = "style.json"


def save_styler(folder: Path, /, *, method: Method, strength: float, steps: int) -> None:
    """Writes a model of style transfer: the published weights and the settings.

    Raises:
        DataError: the weights cannot be had.
    """
    files = files_of(SOURCES[method], wanted=ENDS[method])
    for path in files:
        shutil.copyfile(path, folder / path.name)
    body = {"method": method, "strength": strength, "steps": steps, "files": [path.name for path in files]}
    (folder / NAME).write_bytes(canonical_json(body) + b"\n")


class StyleSystem:
    """Draws in the style of a picture that is given with the request."""

    capabilities = frozenset({"stylise"})

    def __init__(self, styler: Any, *, method: Method, strength: float, steps: int) -> None:
        self._styler, self._method, self._strength, self._steps = styler, method, strength, steps

    @classmethod
    def load(cls, manifest: Manifest, /, *, locate: Callable[[str], Path], device: str = "cpu") -> StyleSystem:
        """The system of that manifest; it works on the processor whatever `device` is.

        Raises:
            IntegrityError: the model's settings cannot be read.
        """
        del device
        folder = locate(manifest.model)
        try:
            body = json.loads((folder / NAME).read_bytes())
            method: Method = body["method"]
            files = tuple(folder / name for name in body["files"])
            strength, steps = float(body["strength"]), int(body["steps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{folder.name} holds no readable {NAME} ({error})", hint="genwright verify") from None
        return cls(load_styler(method, files), method=method, strength=strength, steps=steps)

    def stylise(self, content: Levels, style: Levels, /, *, strength: float | None = None, seed: int = 0) -> Levels:
        """The content in the style, at the system's own strength unless another is asked for."""
        asked = self._strength if strength is None else strength
        return draw(self._method, content, style, styler=self._styler, strength=asked, steps=self._steps, seed=seed)


def style_with(
    system: Any,
    content: Path,
    style: Path,
    out: Path,
    /,
    *,
    strength: float | None = None,
    size: int | None = None,
    seed: int = 0,
) -> Levels:
    """Writes the content in the style of the other picture, and returns it.

    Raises:
        CapabilityError: the system cannot.
        DataError: a picture cannot be read.
        SpecError: strength or the file's name is wrong.
    """
    check_name(out)
    if strength is not None:
        check_strength(strength)
    if "stylise" not in system.capabilities:
        raise CapabilityError(
            f"this system carries no style over (it can: {', '.join(sorted(system.capabilities))})",
            hint="leave --system out, or give one that a stage [stylise] made",
        )
    pictures = [open_picture(path, size=size) for path in (content, style)]
    drawn: Levels = system.stylise(*pictures, strength=strength, seed=seed)
    save_picture(drawn, out)
    return drawn
