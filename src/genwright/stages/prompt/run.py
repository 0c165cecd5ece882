"""The prompt stage: successive halving over prompts on questions of the validation split."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from genwright.core import ClaimDraft, Context, DataError, Derivation, Produced, StageResult
from genwright.families import SamplingConfig
from genwright.measure import write_scores
from genwright.modalities.chat.messages import answer, chats, question
from genwright.modalities.chat.metrics import METRICS
from genwright.modalities.dataset import read_rows
from genwright.stages.prompt.config import PromptStageConfig
from genwright.systems import Manifest, backend_of, load_system, write_manifest
from genwright.systems.batches import complete
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import Prompt, write_prompt
from genwright.systems.prompts.examples import draw_examples


@dataclass
class _Tried:
    """One prompt of the search, and what its answers to the first questions were worth."""

    name: str
    prompt: Prompt
    scores: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean score so far."""
        return sum(self.scores) / len(self.scores)


def run(config: PromptStageConfig, context: Context, /) -> StageResult:
    """The prompt whose answers were best, and the scores of all that were tried.

    Raises:
        DataError: the validation split is empty.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    rows = read_rows(context.inputs["dataset"].path, split="validation")
    if not len(rows):
        raise DataError(
            "the validation split is empty, and prompts are chosen on it", hint="raise data.split.validation"
        )
    order = np.random.default_rng(context.seed_for("questions")).permutation(len(rows))[: config.questions]
    asked = rows.take(pa.array(order))
    system = _system(context)
    tried = _candidates(config, context)
    best = _search(tried, system, asked, config, context)
    folder = context.folder("prompt")
    write_prompt(best.prompt, folder=folder)
    write_scores(context.folder("prompt_scores"), _table(tried, best, asked))
    produced = {
        "prompt": Produced("prompt", folder),
        "prompt_scores": Produced("scores", context.scratch / "prompt_scores"),
    }
    return StageResult(produced, _claims(tried, best, config))


def _system(context: Context) -> Any:
    folder = context.folder("asked")
    model, codec = context.inputs["model"], context.inputs["codec"]
    manifest = Manifest(
        backend=backend_of(model.path), modality=context.modality, model=model.digest, codec=codec.digest
    )
    write_manifest(manifest, folder=folder)
    paths: dict[str, Path] = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    return load_system(folder, locate=paths.__getitem__, device=context.device)


def _candidates(config: PromptStageConfig, context: Context) -> list[_Tried]:
    """Every pattern with every setting that it is to be tried with, numbered in order."""
    dataset, seed = context.inputs["dataset"].path, context.seed_for("examples")
    settings = [
        one if one.instruction else one.model_copy(update={"instruction": config.instruction})
        for pattern in config.patterns
        for one in pattern.searched()
    ]
    found: list[_Tried] = []
    for pattern, temperature, top_p in product(settings, config.temperatures, config.top_ps):
        sampling = SamplingConfig(temperature=temperature, top_p=top_p)
        examples = draw_examples(pattern, dataset=dataset, seed=seed)
        prompt = Prompt(pattern=pattern, sampling=sampling, examples=examples)
        found.append(_Tried(f"{len(found) + 1} {pattern.kind}", prompt))
    return found


def _search(tried: list[_Tried], system: Any, asked: pa.Table, config: PromptStageConfig, context: Context) -> _Tried:
    rounds = 0
    while config.halving**rounds < len(tried):
        rounds += 1
    left = list(tried)
    for number in range(rounds + 1):
        size = max(1, len(asked) // config.halving ** (rounds - number))
        for one in left:
            _ask(one, system, asked.slice(len(one.scores), size - len(one.scores)), config, context)
        left.sort(key=lambda one: -one.mean)  # of equal ones the earlier
        if number < rounds:
            left = left[: ceil(len(left) / config.halving)]
        context.progress.say(f"  {size} questions: best {left[0].name}, {config.metric} {left[0].mean:.3f}")
    return left[0]


def _ask(one: _Tried, system: Any, rows: pa.Table, config: PromptStageConfig, context: Context) -> None:
    """Asks what has not been asked yet; a question has the same seed under every prompt."""
    asked = chats(rows)
    first = len(one.scores)
    made = complete(
        PromptedSystem(system, prompt=one.prompt),
        [question(chat) for chat in asked],
        max_tokens=config.max_tokens,
        seeds=[context.seed_for(f"question {first + place}") for place in range(len(asked))],
        progress=context.progress,
        title=f"ask {len(asked)} questions: {one.name}",
    )
    metric = METRICS[config.metric]
    one.scores += [metric(found.text.strip(), answer(chat)) for found, chat in zip(made, asked, strict=True)]
    one.tokens += [found.num_tokens for found in made]


def _table(tried: list[_Tried], best: _Tried, asked: pa.Table) -> dict[str, list[Any]]:
    """A row per prompt and question that it was asked."""
    ids, groups = (asked.column(name).to_pylist() for name in ("id", "group"))
    rows = [
        (one.name, one is best, ids[place], groups[place], score, tokens)
        for one in tried
        for place, (score, tokens) in enumerate(zip(one.scores, one.tokens, strict=True))
    ]
    names = ("prompt", "chosen", "id", "group", "score", "tokens")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _claims(tried: list[_Tried], best: _Tried, config: PromptStageConfig) -> list[ClaimDraft]:
    """The mean of each prompt on the questions that it was asked; that of the chosen one is the best of many."""

    def draft(one: _Tried) -> ClaimDraft:
        derivation = Derivation(
            "mean", {"value": "score"}, where={"prompt": one.name}, interval="bootstrap", cluster="group"
        )
        chosen = f"chosen, best of {len(tried)} on these questions: " if one is best else ""
        sampling = one.prompt.sampling
        assert sampling is not None
        at = f" at temperature {sampling.temperature:g}, top-p {sampling.top_p:g}"
        return ClaimDraft(
            "prompt", f"development_{config.metric}", "1", "prompt_scores", derivation,
            label=f"{chosen}{one.name}{at}", data="dataset", better="higher", headline=one is best,
        )  # fmt: skip

    number = Derivation("count", {}, where={"chosen": True})
    asked = ClaimDraft("prompt", "development_questions", "questions", "prompt_scores", number, data="dataset")
    return [asked, *(draft(one) for one in tried)]
