"""Settings and declaration of the evaluate stage."""

from typing import Any, Literal, Self

from pydantic import Field, create_model, model_validator

from genwright.core import Config, StageSpec, component_field, trained_on
from genwright.families import SamplingConfig
from genwright.stages.evaluate.models import ModelsConfig, ModelStage
from genwright.systems.manifest import PropertiesManifest


class ReferencesConfig(Config):
    """What a reader compares with. `ngram_orders` are tried on the validation split; the best one is reported."""

    ngram_orders: tuple[int, ...] = Field(default=(4, 6, 8), min_length=1)
    xz: Literal["on", "off"] = "on"


class GenerationConfig(Config):
    """Samples that continue the openings of test documents.

    `prompt_characters` of each document are given, up to a line end. `check = "python"` reports the share
    that parses as Python.
    """

    num_samples: int = Field(default=24, ge=0, le=10_000)
    prompt_characters: int = Field(default=200, ge=1)
    max_tokens: int = Field(default=128, ge=1)
    check: Literal["none", "python"] = "none"


class EvaluateConfig(ModelsConfig):
    """How the system is asked, and what it is compared with. `level` is that of every interval.

    `model` names the stage whose model is the system's (None: the last one made), `draft` the one whose model guesses
    tokens for it.
    """

    sampling: SamplingConfig = SamplingConfig(temperature=0.8, top_p=0.95)
    references: ReferencesConfig = ReferencesConfig()
    generation: GenerationConfig = GenerationConfig()
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


class PropertiesConfig(PropertiesManifest):
    """Numbers of held-out samples that are predicted from the family's embedding of them.

    `columns` are of the dataset, or numbers that the modality computes. A ridge regression (or the mean of `neighbours`
    nearest) is fitted on `fit_rows` train samples; its intervals and domain follow from at most as many of the
    validation split, and `test_rows` held-out samples measure it. `likeness = "on"` also asks the modality how far each
    of them is from those train samples.
    """

    fit_rows: int = Field(default=4000, ge=10, le=1_000_000)
    test_rows: int = Field(default=2000, ge=10, le=1_000_000)
    likeness: Literal["on", "off"] = "on"

    @property
    def kept(self) -> PropertiesManifest:
        """What the system's manifest says of it."""
        return PropertiesManifest(**{name: getattr(self, name) for name in PropertiesManifest.model_fields})


class RowEvaluateConfig(Config):
    """How many samples are drawn and how, and what they are compared with. `level` is that of every interval.

    `anomalies` is a source of samples of another kind, which the system's own scores are to tell from held-out ones.
    """

    num_samples: int = Field(default=4000, ge=10, le=1_000_000)
    guidance: float = Field(default=1.0, ge=0.0)
    steps: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=1.0, gt=0.0)
    baseline: Literal["on", "off"] = "on"
    properties: PropertiesConfig | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


OWN_NAMES = ("system", "parent", "plain")


class AgainstConfig(Config):
    """Another system that answers the same questions.

    `model` names the stage whose model answers (`base`, `train`, `prune`, `adapt`, `compress`; None: the system's own),
    `prompt` the pattern that it is asked by (None: as the questions are).
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9 -]*$")
    model: ModelStage | None = None
    prompt: component_field("prompts", optional=True) = None  # type: ignore[valid-type]


class AnswerEvaluateConfig(ModelsConfig):
    """How held-out questions are asked, and what the answers are compared with.

    `num_questions` of the test split are drawn (None: all); all systems answer the same ones in at most `max_tokens`
    tokens. A prompt that was searched brings its own sampling. `model` names the stage whose model is the system's
    (None: the last one made), `draft` the one whose model guesses tokens for it.
    """

    sampling: SamplingConfig = SamplingConfig(temperature=0.0)
    num_questions: int | None = Field(default=None, ge=1)
    max_tokens: int = Field(default=64, ge=1, le=100_000)
    against: tuple[AgainstConfig, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.against]
        taken = sorted({name for name in names if names.count(name) > 1 or name in OWN_NAMES})
        if taken:
            raise ValueError(f"against: the name '{taken[0]}' is taken; give each system its own")
        return self


def config_for(modality: str, /) -> type[Config]:
    """The settings for a modality, with its own metrics."""
    entry = trained_on(modality, stage="evaluate")
    if entry.metrics is None:
        return EvaluateConfig
    if entry.answers:
        return create_model(
            "AnswerEvaluateConfig", __base__=AnswerEvaluateConfig, metrics=(entry.metrics, entry.metrics())
        )
    source: Any = entry.config | None
    return create_model(
        "RowEvaluateConfig",
        __base__=RowEvaluateConfig,
        metrics=(entry.metrics, entry.metrics()),
        anomalies=(source, None),
    )


STAGE = StageSpec(
    name="evaluate",
    order=50,
    version="9",
    config=EvaluateConfig,
    run="genwright.stages.evaluate.run:run",
    inputs=("dataset", "codec", "model"),
    optional=("prompt", "model:base", "model:train", "model:prune", "model:adapt", "model:compress"),
    # with a draft draft_scores and draft_costs besides, with a remote model remote_costs, which no stage takes up
    outputs={"system": "system", "scores": "scores", "samples": "samples", "generation_scores": "scores"},
    libraries=("torch", "numpy", "scipy", "tokenizers"),
    config_for="genwright.stages.evaluate.config:config_for",
    external="genwright.stages.evaluate.fingerprint:fingerprint",
    check="genwright.stages.evaluate.checks:check",
    ready="genwright.stages.evaluate.ready:ready",
    device_bound=True,
    extra="train",
)
