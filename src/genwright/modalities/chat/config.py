"""Settings of chats, importable at planning: pydantic only."""

from typing import Literal, Self

from pydantic import Field, model_validator

from genwright.core import Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig

Metric = Literal["chrf", "rouge_l", "exact"]
Baseline = Literal["nearest-answer", "first-comment", "name"]


class ChatSourceConfig(FilesConfig):
    """Where chats come from; the last message of each is the answer that is learned and compared with.

    JSON lines and Parquet hold `messages` (a list of `{role, content}`), or a question and an answer in the fields
    `prompt_field` and `completion_field`. `python-summaries` makes pairs of Python source: a function without its
    docstring, and the first line of that; `python-tasks` makes them of the head and docstring of a function with
    examples, and the function. `group_by` says what stays together in one split: a document, a file, the first folder
    of its name (`package`), or the value of `group_field`. `split` puts all of a source into one split.
    """

    format: Literal["auto", "jsonl", "parquet", "python-summaries", "python-tasks"] = "auto"
    messages_field: str = "messages"
    prompt_field: str = "prompt"
    completion_field: str = "completion"
    system: str | None = None
    group_by: Literal["document", "file", "package", "source"] = "document"
    group_field: str | None = None
    split: Literal["by-group", "train", "validation", "test"] = "by-group"
    max_document_bytes: int = Field(default=1_000_000, ge=1)
    max_code_characters: int = Field(default=1200, ge=40)
    min_words: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _one_group(self) -> Self:
        if self.group_field is not None and self.group_by != "document":
            raise ValueError("group_field and group_by both say what stays together; give one of them")
        return self


class ChatMetricsConfig(Config):
    """How answers are compared with the reference. The first metric is the one that a policy usually names."""

    metrics: tuple[Metric, ...] = Field(default=("chrf", "rouge_l"), min_length=1)
    baselines: tuple[Baseline, ...] = ("nearest-answer",)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


CHAT = ModalityComponent(
    "chat",
    ChatSourceConfig,
    "genwright.modalities.chat.modality:ChatModality",
    accepts=("tokens",),
    extra="data",
    codecs={"tokens": "pretrained"},
    metrics=ChatMetricsConfig,
    answers=True,
)
