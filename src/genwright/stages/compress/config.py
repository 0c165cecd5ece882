"""Settings and declaration of the compress stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from genwright.core import CapabilityError, Config, StageSpec, modality_component
from genwright.systems.costs.config import CostConfig

FileType = Literal["f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0", "iq4_nl"]


class CompressConfig(Config):
    """Weights in fewer bits: `int8` or `int4` in groups of 64, which any net here reads, or a type of llama.cpp's.

    `embedding` is the type of the token embedding under `int4` (a fifth of a small model, and sensitive).
    """

    type: Literal["int8", "int4"] | FileType = "q4_0"
    embedding: Literal["int8", "int4"] = "int8"
    costs: CostConfig = CostConfig()


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the model is one of texts.

    Raises:
        CapabilityError: it is not.
    """
    del configs
    if not modality_component(modality).of_texts:
        raise CapabilityError(f"[compress] is for language models, and this project's modality is '{modality}'")


STAGE = StageSpec(
    name="compress",
    order=40,
    version="1",
    config=CompressConfig,
    run="genwright.stages.compress.run:run",
    inputs=("codec", "model"),
    outputs={"model": "model", "compress_scores": "scores"},
    libraries=("torch", "safetensors", "torchao"),
    check="genwright.stages.compress.config:check",
    device_bound=True,
    extra="compress",
)
