"""Settings and declaration of the answer stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from genwright.core import CapabilityError, Config, StageSpec, component_field, modality_component
from genwright.core.digest import json_digest
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import digests
from genwright.systems.grounded.config import AnsweringConfig

_Pattern: Any = component_field("prompts")


class AnswerConfig(Config):
    """How answers are made, and how sure they have to be.

    Everything is calibrated and chosen on the development half of the questions, and measured on the other one; of each
    half at most `questions` are asked. `unanswerable` are JSONL files (or globs) of questions that no document answers.
    Extraction is always tried; with a language model in the project ([base], [adapt], ...), so is each of `patterns` on
    at most `pattern_questions` questions, and the best is kept. An answer is refused below the confidence that loses
    `lost_answers` of the answerable development questions, a sentence below the support that loses
    `lost_sentences` of the true ones. `cases` sentences of the documents calibrate the support check, as many others
    measure it.
    """

    answering: AnsweringConfig = AnsweringConfig()
    questions: int = Field(default=100, ge=2)
    unanswerable: tuple[str, ...] = ()
    patterns: tuple[_Pattern, ...] = ()
    pattern_questions: int = Field(default=32, ge=2)
    lost_answers: float = Field(default=0.05, ge=0.0, lt=1.0)
    lost_sentences: float = Field(default=0.05, ge=0.0, lt=1.0)
    cases: int = Field(default=150, ge=10, le=100_000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)


OTHERS = ("evaluate", "stylise", "prompt", "parity")


def fingerprint(config: AnswerConfig, root: Path) -> str:
    """A digest of the files of questions.

    Raises:
        GenwrightError: a path names nothing, or steps out of the project.
    """
    return json_digest([digests(FilesConfig(path=path), root=root) for path in config.unanswerable])


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where samples are documents, and a model is there for patterns to ask.

    Raises:
        CapabilityError: they are not, there is none, or another section makes the system.
    """
    if not modality_component(modality).documents:
        raise CapabilityError(
            f"[answer] draws answers from documents, and this project's modality is '{modality}'",
            hint="modality = 'document'",
        )
    for other in OTHERS:
        if other in configs:
            raise CapabilityError(
                f"[{other}] has no part in a project of documents: [answer] makes and measures the system",
                hint=f"take [{other}] out",
            )
    config = configs["answer"]
    if config.patterns and "base" not in configs:  # type: ignore[attr-defined]
        raise CapabilityError(
            "answer.patterns are ways to ask a language model, and the project has none",
            hint="add a [base] section, or take answer.patterns out: extraction needs no model",
        )


STAGE = StageSpec(
    name="answer",
    order=55,
    version="2",
    config=AnswerConfig,
    run="genwright.stages.answer.run:run",
    inputs=("dataset", "index", "encoder", "questions"),
    optional=("model", "codec"),
    outputs={
        "grounding": "grounding",
        "system": "system",
        "scores": "scores",
        "check_scores": "scores",
        "development_scores": "scores",
        "samples": "samples",
        "answer_costs": "scores",
    },
    libraries=("torch", "numpy", "scipy", "scikit-learn", "tokenizers"),
    external="genwright.stages.answer.config:fingerprint",
    check="genwright.stages.answer.config:check",
    device_bound=True,
    extra="rag",
)
