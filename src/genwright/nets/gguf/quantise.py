"""A GGUF file in another type."""

from __future__ import annotations

from pathlib import Path

from genwright.nets.gguf.file import GgufFile, Value, read_file, write_file
from genwright.nets.gguf.layout import NUM_LAYERS
from genwright.nets.gguf.numbers import dequantised, quantised
from genwright.nets.gguf.types import FILE_TYPES, FileType, quantisation_for

UINT32 = 4
__all__ = ["FileType", "quantise_file"]


def quantise_file(source: Path, /, *, out: Path, file_type: FileType) -> None:
    """Writes the model in `source` with its matrices in that type; all else stays as it is.

    Quantise from f32, f16 or bf16: what an earlier quantisation lost does not come back.

    Raises:
        DataError: the file is broken, or holds numbers that are not finite.
    """
    file = read_file(source)
    architecture = file.get("general.architecture")
    num_layers = int(file.get(f"{architecture}.{NUM_LAYERS}", 0))
    tensors = {}
    for name, stored in file.tensors.items():
        kind = quantisation_for(name, stored.shape, file_type=file_type, num_layers=num_layers)
        tensors[name] = stored if stored.quantisation is kind else quantised(dequantised(stored), kind, name=name)
    fields = {**file.fields, "general.file_type": Value(UINT32, FILE_TYPES[file_type][0])}
    write_file(out, GgufFile(fields, tensors))
