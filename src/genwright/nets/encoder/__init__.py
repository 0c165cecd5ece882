"""Sentence encoders: texts to unit vectors."""

from genwright.nets.encoder.layout import EncoderLayout, read_layout, save_encoder
from genwright.nets.encoder.protocol import Encoder, Role

__all__ = ["Encoder", "EncoderLayout", "Role", "read_layout", "save_encoder"]
