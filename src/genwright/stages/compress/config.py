"""Settings and declaration of the compress stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from genwright.core import CapabilityError, Config, StageSpec, modality_component
from genwright.systems.costs.config import CostConfig
from genwright.systems.manifest import Engine

FileType = Literal["f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "q4_0", "iq4_nl"]


OF_OPENVINO = ("f16", "q8_0", "q4_0", "q4_1", "q4_k_m")


class CompressConfig(Config):
    """Weights in fewer bits: `int8` or `int4` in groups of 64, which any net here reads, or a type of llama.cpp's.

    `embedding` is the type of the token embedding under `int4` (a fifth of a small model, and sensitive). A file of
    llama.cpp's is run by it, or by OpenVINO (`engine`), which reads f16, q8_0, q4_0, q4_1 and q4_k_m.
    """

    type: Literal["int8", "int4"] | FileType = "q4_0"
    embedding: Literal["int8", "int4"] = "int8"
    engine: Engine = "llama.cpp"
    costs: CostConfig = CostConfig()

    @model_validator(mode="after")
    def _engine_reads_it(self) -> Self:
        if self.engine == "openvino" and self.type not in OF_OPENVINO:
            raise ValueError(f"engine = 'openvino' reads the types {', '.join(OF_OPENVINO)}; type is '{self.type}'")
        return self


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the model is one of texts.

    Raises:
        CapabilityError: it is not.
    """
    del configs
    entry = modality_component(modality)
    if not (entry.of_texts or entry.documents):
        raise CapabilityError(f"[compress] is for language models, and this project's modality is '{modality}'")


STAGE = StageSpec(
    name="compress",
    order=40,
    version="2",
    config=CompressConfig,
    run="genwright.stages.compress.run:run",
    inputs=("codec", "model"),
    outputs={"model": "model", "compress_scores": "scores"},
    libraries=("torch", "safetensors", "torchao"),
    check="genwright.stages.compress.config:check",
    device_bound=True,
    extra="compress",
)
