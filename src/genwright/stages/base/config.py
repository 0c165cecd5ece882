"""Settings and declaration of the base stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from genwright.core import CapabilityError, Config, SpecError, StageSpec, component
from genwright.modalities.files.hub import ModelFilesConfig
from genwright.systems.manifest import Engine


class BaseConfig(ModelFilesConfig):
    """A pretrained causal language model, its tokenizer and its chat template.

    `path` is a folder in the Hugging Face layout or a GGUF file, below the project or absolute; a GGUF file inside a
    package (`package:NAME==VERSION!MEMBER`) or archive; or `hf:NAME`, downloaded in safetensors from the hub, at
    `revision`. `sha256` pins an archive. `context_tokens` bounds what is read at once (None: the model's own, at most
    2,048). `document_mark` is the token before and behind a text (None: the tokenizer's begin and end marks).
    `keep = "gguf"` keeps a GGUF file as it came, quantised, and llama.cpp answers by it, or OpenVINO (`engine`).
    """

    context_tokens: int | None = Field(default=None, ge=8, le=1 << 20)
    document_mark: str | None = None
    keep: Literal["weights", "gguf"] = "weights"
    engine: Engine = "llama.cpp"

    @model_validator(mode="after")
    def _engine_runs_what_is_kept(self) -> Self:
        if self.keep == "gguf" and not self.path.endswith(".gguf"):
            raise ValueError("keep = 'gguf' is for a path that ends in .gguf")
        if self.engine == "openvino" and self.keep != "gguf":
            raise ValueError("engine = 'openvino' runs a GGUF file: keep = 'gguf'")
        return self


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the model is of texts, and nothing else makes what it brings.

    Raises:
        CapabilityError: the project is of another modality.
        SpecError: [fit] or [train] stand beside it.
    """
    if modality not in component("codecs", "pretrained").modalities:
        raise CapabilityError(f"[base] is a language model, and this project's modality is '{modality}'")
    beside = [f"[{name}]" for name in ("fit", "train") if name in configs]
    if beside:
        raise SpecError(
            f"[base] brings a codec and a model, and so would {' and '.join(beside)}",
            hint=f"leave out [base], or {' and '.join(beside)}",
        )


STAGE = StageSpec(
    name="base",
    order=15,
    version="3",
    config=BaseConfig,
    run="genwright.stages.base.run:run",
    inputs=(),
    outputs={"codec": "codec", "model": "model", "base_scores": "scores"},
    libraries=("torch", "safetensors", "tokenizers", "transformers", "gguf"),
    external="genwright.stages.base.places:fingerprint",
    check="genwright.stages.base.config:check",
    extra="pretrained",
)
