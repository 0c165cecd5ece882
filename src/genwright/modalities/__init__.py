"""Kinds of data: reading, cleaning rules, codecs. Imports nothing heavy."""

from genwright.modalities.codec import load_codec

__all__ = ["load_codec"]
