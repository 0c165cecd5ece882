"""Settings of passages, importable at planning: pydantic only."""

from typing import Literal

from pydantic import Field

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.text.config import SourceConfig


class PassageSourceConfig(SourceConfig):
    """Where texts come from, as for the text modality, and how long a passage may be.

    A document is cut at white space into passages of at most `passage_characters`; the passages of one group of
    documents stay in one split.
    """

    passage_characters: int = Field(default=160, ge=16, le=4096)


class PassageMetricsConfig(Config):
    """`pairs` is how many pairs of characters of each side are compared; `max_rows` bounds the passages looked at."""

    pairs: int = Field(default=20_000, ge=100)
    max_rows: int = Field(default=2000, ge=20)
    folds: int = Field(default=5, ge=2, le=50)


class PassageBpeConfig(Config):
    """A byte-level BPE, as of the text modality."""

    kind: Literal["passage-bpe"] = "passage-bpe"
    vocab_size: int = Field(default=512, ge=259, le=100_000)


class PassageBytesConfig(Config):
    """Each byte of the UTF-8 text is a token."""

    kind: Literal["passage-bytes"] = "passage-bytes"


PASSAGE = ModalityComponent(
    "passage",
    PassageSourceConfig,
    "genwright.modalities.passage.modality:PassageModality",
    accepts=("tokens",),
    extra="data",
    codecs={"tokens": "passage-bpe"},
    metrics=PassageMetricsConfig,
    baselines=(("ngram", "passage-bytes"),),
)
PASSAGE_BPE = Component(
    "passage-bpe",
    PassageBpeConfig,
    "genwright.modalities.passage.codec:PassageBpe",
    accepts=("tokens",),
    extra="train",
    modalities=("passage",),
)
PASSAGE_BYTES = Component(
    "passage-bytes",
    PassageBytesConfig,
    "genwright.modalities.passage.codec:PassageBytes",
    accepts=("tokens",),
    extra="train",
    modalities=("passage",),
)
