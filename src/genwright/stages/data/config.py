"""Declaration of the data stage."""

from typing import Any, Literal

from pydantic import Field, create_model, model_validator

from genwright.core import Config, StageSpec, modality_component
from genwright.modalities.text.config import SourceConfig

Share = Field(default=0.1, gt=0, lt=0.5)


class RepairConfig(Config):
    """Unicode repair: mis-decoded text, control characters, line ends, one normal form."""

    unicode: Literal["repair", "keep"] = "repair"


class RedactConfig(Config):
    """What is replaced by a typed placeholder such as `<EMAIL>`."""

    pii: Literal["redact", "keep"] = "redact"
    secrets: Literal["redact", "keep"] = "redact"


class FilterConfig(Config):
    """What a document must be like to stay. Sizes are of the repaired text in UTF-8."""

    min_bytes: int = Field(default=20, ge=1)
    max_bytes: int | None = Field(default=None, ge=1)
    quality: Literal["off", "prose", "code"] = "off"
    languages: tuple[str, ...] = ()
    min_language_confidence: float = Field(default=0.5, ge=0, le=1)


class PassageConfig(Config):
    """What happens to a paragraph that an earlier document already has; shorter ones are left alone."""

    repeats: Literal["keep", "drop"] = "keep"
    min_characters: int = Field(default=40, ge=1)


class NearConfig(Config):
    """Near-duplicates: dropped but for the longest, kept in one split (`group`), or not looked for (`ignore`).

    `threshold` is the Jaccard similarity of word shingles from which two documents are near-duplicates;
    `containment` is the share of a document's shingles that a longer document must hold. A MinHash signature costs
    4 bytes times `num_permutations` of memory per document, looking for contained ones up to 4 kB more: `auto` looks
    for them where all sources together hold at most 64 MiB.
    """

    duplicates: Literal["drop", "group", "ignore"] = "drop"
    threshold: float = Field(default=0.8, gt=0.3, le=1)
    contained: Literal["auto", "find", "ignore"] = "auto"
    containment: float = Field(default=0.9, gt=0.3, le=1)
    num_permutations: int = Field(default=128, ge=16, le=512)
    shingle_words: int = Field(default=5, ge=1, le=20)


class SplitConfig(Config):
    """Shares of the bytes that the splits aim at; the rest is for training.

    A group larger than `max_group_share` of a held-out split goes to train, where there are enough smaller ones.
    """

    validation: float = Share
    test: float = Share
    max_group_share: float = Field(default=0.25, gt=0, le=1)


class DataConfig(Config):
    """Sources and how they are cleaned and split."""

    name: str = "dataset"
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    repair: RepairConfig = RepairConfig()
    redact: RedactConfig = RedactConfig()
    filters: FilterConfig = FilterConfig()
    passages: PassageConfig = PassageConfig()
    near: NearConfig = NearConfig()
    split: SplitConfig = SplitConfig()
    contamination_words: int = Field(default=13, ge=3)
    workers: int | None = Field(default=None, ge=1, le=256)

    @model_validator(mode="after")
    def _sources_have_their_own_names(self) -> "DataConfig":
        labels = [source.label for source in self.sources]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"two sources are called {repeated[0]!r}; give each its own name")
        return self


class RowDataConfig(Config):
    """Sources of samples that stand for themselves (rows, pictures, molecules, pieces), and how they are split.

    `duplicates` of the same sample are dropped, kept in one split (`group`), or kept anywhere (`keep`). `max_samples`
    takes the first so many, for a quick look.
    """

    name: str = "dataset"
    duplicates: Literal["drop", "group", "keep"] = "drop"
    max_samples: int | None = Field(default=None, ge=3)
    split: SplitConfig = SplitConfig()


def config_for(modality: str, /) -> type[Config]:
    """The settings for a modality, with its own kind of sources."""
    entry = modality_component(modality)
    if not entry.rows:
        return DataConfig
    sources: Any = tuple[entry.config, ...]  # type: ignore[name-defined]
    return create_model("RowDataConfig", __base__=RowDataConfig, sources=(sources, Field(min_length=1)))


STAGE = StageSpec(
    name="data",
    order=10,
    version="3",
    config=DataConfig,
    run="genwright.stages.data.run:run",
    inputs=(),
    outputs={"dataset": "dataset", "data_scores": "scores"},
    libraries=(
        "pyarrow",
        "ftfy",
        "numpy",
        "rensa",
        "py3langid",
        "pypdf",
        "python-docx",
        "html-to-markdown",
        "datasets",
    ),
    config_for="genwright.stages.data.config:config_for",
    external="genwright.stages.data.fingerprint:fingerprint",
    extra="data",
)
