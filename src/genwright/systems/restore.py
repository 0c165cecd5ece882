"""A damaged picture made whole by a system that knows what pictures look like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from genwright.core import CapabilityError, Config, DataError
from genwright.core.protocols import GridShape
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.pixels import IMAGE, Levels, pixels_of, size_name
from genwright.modalities.image.style.picture import check_name, save_picture
from genwright.systems.told import asked_rows

Task = Literal["denoise", "upscale", "inpaint"]


class Restoration(Config):
    """What is to be done to a picture.

    `noise` is the standard deviation of what is taken away, in parts of the range of levels; `scale` is how often
    larger a picture becomes; `condition` is a JSON object; `steps` is 1 for `denoise` where it is left open.
    """

    task: Task
    noise: float | None = Field(default=None, gt=0.0, le=1.0)
    scale: Literal[2, 4] = 2
    condition: str | None = None
    guidance: float = Field(default=1.0, ge=0.0)
    steps: int | None = Field(default=None, ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _noise_is_known(self) -> Self:
        if self.task == "denoise" and self.noise is None:
            raise ValueError("denoise needs the noise's standard deviation, such as noise 0.1 for 25 of 255 levels")
        return self


def restore_file(system: Any, settings: Mapping[str, Any], /, *, image: Path, out: Path) -> Levels:
    """Writes the restored picture as a PNG file, and returns it; `settings` are those of `Restoration`.

    `inpaint` fills in what is not wholly opaque, with what it shows there of no account.

    Raises:
        CapabilityError: the system makes no pictures of one size, or its family cannot do this.
        DataError: the picture cannot be read, has not the size that the system works on, or leaves nothing to fill in.
        SpecError: a setting is out of range.
    """
    asked = Restoration.parse(settings, where="restore")
    check_name(out)
    shape = getattr(getattr(system, "codec", None), "shape", None)
    if not isinstance(shape, GridShape):
        raise CapabilityError("this system makes no pictures", hint="give a system of modality image with --system")
    restored: Levels = pixels_of(_restored(system, asked, image, shape))[0]
    save_picture(restored, out)
    return restored


def _restored(system: Any, asked: Restoration, image: Path, shape: GridShape) -> pa.Table:
    conditions = None if asked.condition is None else asked_rows(asked.condition, system.codec, count=1)[0]
    if asked.task == "denoise":
        levels = _levels(image, shape, 1)
        return system.denoise(levels, noise=asked.noise, steps=asked.steps or 1, conditions=conditions)
    more = {"seed": asked.seed, "steps": asked.steps, "guidance": asked.guidance, "conditions": conditions}
    if asked.task == "upscale":
        return system.upscale(_levels(image, shape, asked.scale), **more)
    given = pa.table({IMAGE: [str(image)]})
    if np.all(system.codec.encode_given(given).known):
        raise DataError(
            f"{image} is wholly opaque, so there is nothing to fill in",
            hint="give a PNG in which the part to be filled in is transparent",
        )
    return system.sample(1, given=given, **more)


def _levels(path: Path, shape: GridShape, scale: int) -> Levels:
    """The picture as a batch of one, in the system's mode."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", hint="give a PNG or JPEG file") from None
    source = ImageSourceConfig(path=str(path), mode="grey" if shape.channels == 1 else "rgb")
    wanted = (shape.channels, shape.height // scale, shape.width // scale)
    hint = f"give a PNG or JPEG file of {wanted[1]}x{wanted[2]} pixels"
    levels = Frame(source).opened(body, name=str(path), hint=hint)
    if levels.shape != wanted or (shape.height % scale, shape.width % scale) != (0, 0):
        whole = (shape.channels, shape.height, shape.width)
        small = f", and a scale of {scale} needs a whole fraction" if scale > 1 else ""
        raise DataError(
            f"{path} has {levels.shape[1]}x{levels.shape[2]} pixels; this system makes {size_name(whole)}{small}",
            hint=f"scale it to {wanted[1]}x{wanted[2]} pixels first",
        )
    return levels[None]
