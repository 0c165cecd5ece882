"""Settings and declaration of the parity stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from genwright.core import CapabilityError, Config, StageSpec, modality_component


class ParityConfig(Config):
    """How many held-out prompts are asked, at most `prompt_characters` of each, for at most so many tokens."""

    num_prompts: int = Field(default=4, ge=1, le=1000)
    prompt_characters: int = Field(default=200, ge=1)
    max_tokens: int = Field(default=16, ge=1)


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where the system is one that is served.

    Raises:
        CapabilityError: it is not.
    """
    del configs
    if not modality_component(modality).of_texts:
        raise CapabilityError(f"[parity] is for systems that are served, and this project's modality is '{modality}'")


# The server stands above the stages, so what runs it stands there too.
STAGE = StageSpec(
    name="parity",
    order=80,
    version="2",
    config=ParityConfig,
    run="genwright.serve.parity:run",
    inputs=("system", "model", "codec", "dataset"),
    optional=("prompt", "model:base", "model:train", "model:prune", "model:adapt", "model:compress"),
    outputs={"parity_scores": "scores"},
    libraries=("torch", "fastapi", "uvicorn"),
    check="genwright.stages.parity.config:check",
    device_bound=True,
    extra="web",
)
