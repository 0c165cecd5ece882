"""From an encoder's folder to an encoder. Imports torch only when called."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from genwright.core import load_reference
from genwright.nets.encoder.protocol import Encoder

Precision = Literal["auto", "float32", "bfloat16"]


def load_encoder(folder: Path, /, *, precision: Precision = "auto", device: str = "cpu") -> Encoder:
    """The sentence encoder in a folder of `sentence-transformers`, of `transformers`, or of an artifact.

    Raises:
        DataError: files are missing or broken.
        CapabilityError: its vectors are made in a way that is not computed here.
    """
    sentence = load_reference("genwright.nets.encoder.sentence:SentenceEncoder", extra="train")
    found: Encoder = sentence.load(folder, precision=precision, device=device)
    return found
