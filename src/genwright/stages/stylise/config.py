"""Settings and declaration of the stylise stage."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from genwright.core import Config, SpecError, StageSpec

OTHERS = ("train", "evaluate")  # they make a system of their own


class StyliseConfig(Config):
    """Which pictures are drawn in the style of which, by names of sources of [data], and how.

    Each of `num_pairs` contents, drawn by chance, meets one style; every style meets about as many. `strength` goes
    from 0, the content's own style, to 1; `steps` are those of `gatys`. `choices` are how many styles, and contents,
    a result is matched with. `level` is that of every interval; intervals resample styles.
    """

    contents: str
    styles: str
    method: Literal["arbitrary", "gatys"] = "arbitrary"
    strength: float = Field(default=1.0, ge=0.0, le=1.0)
    steps: int = Field(default=100, ge=1)
    num_pairs: int = Field(default=84, ge=4, le=100_000)
    choices: int = Field(default=10, ge=2, le=1000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


def check(configs: Mapping[str, Any], modality: str) -> None:
    """Passes where the project is of pictures, has both sources, and makes no other system.

    Raises:
        SpecError: otherwise.
    """
    if modality != "image":
        raise SpecError(f"[stylise] draws pictures, and project.modality is '{modality}'", hint="modality = 'image'")
    for other in OTHERS:
        if other in configs:
            raise SpecError(f"[stylise] and [{other}] both make a system", hint="give them a project of their own each")
    labels = [source.label for source in configs["data"].sources] if "data" in configs else []
    for key in ("contents", "styles"):
        name = getattr(configs["stylise"], key)
        if labels and name not in labels:
            raise SpecError(f"stylise.{key} '{name}' names no source of [data] (there are: {', '.join(labels)})")


STAGE = StageSpec(
    name="stylise",
    order=50,
    version="1",
    config=StyliseConfig,
    run="genwright.stages.stylise.run:run",
    inputs=("dataset", "codec"),
    outputs={"model": "model", "system": "system", "scores": "scores", "samples": "samples"},
    libraries=("torch", "numpy", "scipy", "pillow", "onnxruntime", "h5py"),
    check="genwright.stages.stylise.config:check",
    device_bound=True,
    extra="style",
)
