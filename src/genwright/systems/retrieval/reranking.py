"""Rerankers: models that read the first passages again. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from genwright.core import load_reference
from genwright.nets.encoder.layout import read_config, read_layout
from genwright.nets.encoder.load import load_encoder
from genwright.systems.retrieval.index import Reranker
from genwright.systems.retrieval.late import LateInteraction

FOLDER = "reranker"
"""Where it lies in the artifact of the encoder that it stands beside."""


def load_reranker(folder: Path, /, *, device: str = "cpu") -> Reranker:
    """The reranker in that folder: a cross-encoder, or a sentence encoder whose tokens are held against each other.

    Raises:
        DataError: files are missing or broken.
        CapabilityError: it computes what is not computed here.
    """
    if is_cross_encoder(folder):
        cross = load_reference("genwright.nets.encoder.cross:CrossEncoder", extra="train")
        found: Reranker = cross.load(folder, device=device)
        return found
    return LateInteraction(load_encoder(folder, device=device)).scores


def is_cross_encoder(folder: Path, /) -> bool:
    """Whether the model in that folder reads a question and a text together.

    Raises:
        DataError: files are missing or broken.
    """
    architectures = read_config(read_layout(folder)).get("architectures") or ()
    return any(name.endswith("ForSequenceClassification") for name in architectures)
