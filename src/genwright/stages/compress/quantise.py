"""Weights in fewer bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from genwright.core import DataError, load_reference
from genwright.families.store import WEIGHTS, load_family, write_description
from genwright.nets.packed import Bits, Packed, group_for, to_tensors
from genwright.stages.compress.config import CompressConfig
from genwright.systems.manifest import choose_engine

BITS: Mapping[str, Bits] = {"int8": 8, "int4": 4}


def quantise(config: CompressConfig, *, model: Path, codec: Path, out: Path) -> int:
    """Writes the model in `model` into `out` in the type asked for, and says how many parameters it has.

    Raises:
        DataError: a weight is not finite.
        CapabilityError: the net has no layout in llama.cpp.
    """
    family = load_family(model)
    tensors = family.state_dict()
    num_parameters: int = sum(value.numel() for value in tensors.values())
    facts = {"num_parameters": num_parameters, "type": config.type}
    if config.type not in BITS:
        save = load_reference("genwright.families.gguf_store:save_gguf_family", extra="gguf")
        save(out, family=family, codec_folder=codec, file_type=config.type, facts=facts)
        choose_engine(config.engine, out)
        return num_parameters
    write_description(out, config=family.config, shape=family.shape, facts=facts)
    save_file(_packed(tensors, config), out / WEIGHTS)
    return num_parameters


def _packed(tensors: Mapping[str, Tensor], config: CompressConfig) -> dict[str, Tensor]:
    bits: dict[str, Bits] = {}
    matrices: dict[str, Packed] = {}
    plain: dict[str, Tensor] = {}
    for name, weight in tensors.items():
        if not bool(weight.isfinite().all()):
            raise DataError(f"the model's weight '{name}' is not finite", hint="train or read it again")
        if weight.dim() == 2 and group_for(weight.shape[1]):
            is_embedding = "embed" in name
            bits[name] = BITS[config.embedding if is_embedding and config.type == "int4" else config.type]
            matrices[name] = _affine(weight.float(), bits[name])
        else:
            plain[name] = weight.bfloat16()
    return {**plain, **to_tensors(matrices, bits=bits)}


def _affine(weight: Tensor, bits: Bits) -> Packed:
    """Rounded to the nearest code between the least and the largest number of each group, by torchao."""
    primitives = "torchao.quantization.quant_primitives"
    choose = load_reference(f"{primitives}:choose_qparams_affine", extra="compress")
    quantise_affine = load_reference(f"{primitives}:quantize_affine", extra="compress")
    mapping = load_reference(f"{primitives}:MappingType", extra="compress")
    group = group_for(weight.shape[1])
    assert group is not None
    block, most = (1, group), (1 << bits) - 1
    scales, zeros = choose(
        weight, mapping.ASYMMETRIC, block, torch.uint8, quant_min=0, quant_max=most, eps=1e-7, keepdim=False
    )
    # The scale is stored in half precision, so the codes are chosen for what will be read.
    scales = scales.half().float().clamp(min=6e-8)
    codes = quantise_affine(weight, block, scales, zeros, torch.uint8, quant_min=0, quant_max=most)
    shape = (weight.shape[0], -1)
    return Packed(codes, scales.view(shape), zeros.to(torch.uint8).view(shape))
