"""One picture in the style of another, from files to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from genwright.core import SpecError, load_reference
from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.picture import check_name, open_picture, save_picture
from genwright.modalities.image.style.weights import ARBITRARY, TRUNK, files_of

Method = Literal["arbitrary", "gatys"]
ENDS: dict[Method, tuple[str, ...]] = {"arbitrary": ("predict.onnx", "transform.onnx"), "gatys": (".h5",)}
SOURCES: dict[Method, str] = {"arbitrary": ARBITRARY, "gatys": TRUNK}
GATYS_SIDE = 256


def load_styler(method: Method, files: tuple[Path, ...], /) -> Any:
    """What has `stylise(content, style, strength=...)`, out of the files of its weights.

    Raises:
        DependencyError: the extra `style` is not installed.
        DataError: the files are not its weights.
    """
    here = "genwright.modalities.image.style."
    if method == "arbitrary":
        return load_reference(here + "arbitrary:ArbitraryStyle", extra="style")(*files)
    trunk = load_reference(here + "trunk:Trunk", extra="style")(*files)
    return load_reference(here + "gatys:GatysStyle", extra="style")(trunk)


def draw(
    method: Method, content: Levels, style: Levels, /, *, styler: Any, strength: float, steps: int, seed: int
) -> Levels:
    """The content in the style; steps and seed are of the optimisation."""
    more = {"steps": steps, "seed": seed} if method == "gatys" else {}
    out: Levels = styler.stylise(content, style, strength=strength, **more)
    return out


def check_strength(strength: float, /) -> None:
    """Passes from 0 to 1.

    Raises:
        SpecError: it is not.
    """
    if not 0.0 <= strength <= 1.0:
        raise SpecError(f"strength is {strength}; it goes from 0 (the content's own style) to 1")


def style_files(
    content: Path,
    style: Path,
    out: Path,
    /,
    *,
    method: Method = "arbitrary",
    strength: float = 1.0,
    size: int | None = None,
    steps: int = 100,
    seed: int = 0,
) -> Levels:
    """Writes the content in the style of the other picture, and returns it; optimisation is at most 256 pixels large
    unless `size` says otherwise.

    Raises:
        DataError: a picture or the weights cannot be read.
        SpecError: strength or the file's name is wrong.
        DependencyError: the extra `style` is not installed.
    """
    check_strength(strength)
    check_name(out)
    pictures = [open_picture(path, size=size) for path in (content, style)]
    if method == "gatys" and size is None:
        pictures = [
            open_picture(path, size=GATYS_SIDE) if max(one.shape) > GATYS_SIDE else one
            for path, one in zip((content, style), pictures, strict=True)
        ]
    styler = load_styler(method, files_of(SOURCES[method], wanted=ENDS[method]))
    drawn = draw(method, *pictures, styler=styler, strength=strength, steps=steps, seed=seed)
    save_picture(drawn, out)
    return drawn
