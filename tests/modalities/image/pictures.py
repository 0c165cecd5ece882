"""Small pictures that have a class: a bright bar that lies, stands, or is not there."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from genwright.modalities.image.pixels import pictures_of

CLASSES = ("lying", "standing", "nothing")


def bars(n, seed, side=16, channels=1):
    """(n, channels, side, side) levels, and the class of each."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 40, (n, channels, side, side)).astype(np.uint8)
    names = [CLASSES[k] for k in rng.integers(3, size=n)]
    for one, name in zip(values, names, strict=True):
        at = int(rng.integers(2, side - 4))
        if name == "lying":
            one[:, at : at + 3, 2:-2] = 200 + rng.integers(0, 50)
        elif name == "standing":
            one[:, 2:-2, at : at + 3] = 200 + rng.integers(0, 50)
    return values, names


def table(values, **columns):
    n = len(values)
    return pa.table({"id": [f"{at}" for at in range(n)], "group": [f"{at}" for at in range(n)],
                     "image": pictures_of(values), **columns})  # fmt: skip


def file_of(array, form="PNG", **options):
    """The bytes of a picture file."""
    body = io.BytesIO()
    Image.fromarray(np.asarray(array)).save(body, form, **options)
    return body.getvalue()
