"""Sentence encoders: texts to unit vectors. The door is torch-free."""

from genwright.nets.encoder.layout import EncoderLayout, read_layout, save_encoder
from genwright.nets.encoder.load import Precision, load_encoder
from genwright.nets.encoder.protocol import Encoder, Matrix, Role, TokenVectors

__all__ = [
    "Encoder",
    "EncoderLayout",
    "Matrix",
    "Precision",
    "Role",
    "TokenVectors",
    "load_encoder",
    "read_layout",
    "save_encoder",
]
