"""GGUF, the file format of llama.cpp: reading, writing and quantising models."""

from genwright.nets.gguf.file import GgufFile, read_file, write_file
from genwright.nets.gguf.model import GgufModel, read_model, write_model
from genwright.nets.gguf.quantise import FileType, quantise_file

__all__ = [
    "FileType",
    "GgufFile",
    "GgufModel",
    "quantise_file",
    "read_file",
    "read_model",
    "write_file",
    "write_model",
]
