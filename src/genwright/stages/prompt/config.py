"""Settings and declaration of the prompt stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from genwright.core import CapabilityError, Config, StageSpec, component_field, modality_component
from genwright.families import SamplingConfig
from genwright.modalities.chat.config import Metric
from genwright.systems.http.settings import RemoteSettings

_Pattern: Any = component_field("prompts")


class GepaConfig(Config):
    """A model reads what went wrong and rewrites the instruction of the best prompt (GEPA; extra `gepa`).

    At most about `budget_questions` questions are asked for it; each rewrite follows from `minibatch` of them.
    `reflection` is the server of the model that rewrites (None: the model that answers).
    """

    budget_questions: int = Field(default=256, ge=2)
    minibatch: int = Field(default=3, ge=1, le=64)
    max_tokens: int = Field(default=512, ge=1, le=100_000)
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    reflection: RemoteSettings | None = None


class PromptStageConfig(Config):
    """Which prompts are tried, and on how many questions.

    Each of `patterns`, with each of the numbers of shots that it names, is tried at each of `temperatures` and
    `top_ps`. `questions` of the validation split judge them by successive halving: all are asked `questions` divided
    by `halving` to the power of the rounds, the better 1 in `halving` goes on to `halving` times as many, until
    one is left or all questions are used. `instruction` holds for patterns that have none of their own. With `gepa` the
    best one's instruction is rewritten on the same questions, and the best of all that were asked all is chosen.
    """

    patterns: tuple[_Pattern, ...] = Field(min_length=1)
    instruction: str = ""
    temperatures: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    top_ps: tuple[float, ...] = Field(default=(1.0,), min_length=1)
    metric: Metric = "chrf"
    questions: int = Field(default=64, ge=2)
    halving: int = Field(default=2, ge=2, le=16)
    max_tokens: int = Field(default=64, ge=1, le=100_000)
    gepa: GepaConfig | None = None

    @model_validator(mode="after")
    def _samplings_are_in_range(self) -> Self:
        for temperature in self.temperatures:
            for top_p in self.top_ps:
                SamplingConfig(temperature=temperature, top_p=top_p)
        return self


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where samples are questions with answers.

    Raises:
        CapabilityError: they are not.
    """
    del configs
    if not modality_component(modality).answers:
        raise CapabilityError(
            f"[prompt] asks questions, and this project's modality is '{modality}'", hint="use modality = 'chat'"
        )


STAGE = StageSpec(
    name="prompt",
    order=45,
    version="2",
    config=PromptStageConfig,
    run="genwright.stages.prompt.run:run",
    inputs=("dataset", "codec", "model"),
    outputs={"prompt": "prompt", "prompt_scores": "scores"},
    libraries=("torch", "numpy", "tokenizers", "sacrebleu"),
    check="genwright.stages.prompt.config:check",
    device_bound=True,
    extra="train",
)
