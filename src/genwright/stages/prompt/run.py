"""The prompt stage: successive halving over prompts on questions of the validation split."""

from __future__ import annotations

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
from genwright.modalities.dataset import read_rows
from genwright.stages.prompt.config import PromptStageConfig
from genwright.stages.prompt.rewriting import Reflection, reflecting, rewrite
from genwright.stages.prompt.tried import Asking, Tried
from genwright.systems import Manifest, backend_of, load_system, write_manifest
from genwright.systems.http.costs import cost_claims, cost_columns, spending
from genwright.systems.prompts import Prompt, write_prompt
from genwright.systems.prompts.examples import draw_examples


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
    asking = Asking(system, asked, config, context)
    best = _search(tried, asking)
    reflection = None
    if config.gepa is not None:
        reflection = reflecting(config.gepa, asking)
        best = _rewritten(tried, best, asking, reflection)
    folder = context.folder("prompt")
    write_prompt(best.prompt, folder=folder)
    write_scores(context.folder("prompt_scores"), _table(tried, best, asked))
    produced = {
        "prompt": Produced("prompt", folder),
        "prompt_scores": Produced("scores", context.scratch / "prompt_scores"),
    }
    drafts = _claims(tried, best, config)
    roles = {"asked": system, **({"reflection": reflection.system} if reflection else {})}
    spent = {role: costs for role, one in roles.items() if (costs := spending(one)) is not None}
    if spent:
        write_scores(context.folder("remote_costs"), cost_columns(spent))
        produced["remote_costs"] = Produced("scores", context.scratch / "remote_costs")
        drafts += cost_claims("prompt", "remote_costs", [(role, role) for role in spent])
    return StageResult(produced, drafts)


def _system(context: Context) -> Any:
    folder = context.folder("asked")
    model, codec = context.inputs["model"], context.inputs["codec"]
    manifest = Manifest(
        backend=backend_of(model.path), modality=context.modality, model=model.digest, codec=codec.digest
    )
    write_manifest(manifest, folder=folder)
    paths: dict[str, Path] = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    return load_system(folder, locate=paths.__getitem__, device=context.device)


def _candidates(config: PromptStageConfig, context: Context) -> list[Tried]:
    """Every pattern with every setting that it is to be tried with, numbered in order."""
    dataset, seed = context.inputs["dataset"].path, context.seed_for("examples")
    settings = [
        one if one.instruction else one.model_copy(update={"instruction": config.instruction})
        for pattern in config.patterns
        for one in pattern.searched()
    ]
    found: list[Tried] = []
    for pattern, temperature, top_p in product(settings, config.temperatures, config.top_ps):
        sampling = SamplingConfig(temperature=temperature, top_p=top_p)
        examples = draw_examples(pattern, dataset=dataset, seed=seed)
        prompt = Prompt(pattern=pattern, sampling=sampling, examples=examples)
        found.append(Tried(f"{len(found) + 1} {pattern.kind}", prompt))
    return found


def _search(tried: list[Tried], asking: Asking) -> Tried:
    config, asked, rounds = asking.config, asking.rows, 0
    while config.halving**rounds < len(tried):
        rounds += 1
    left = list(tried)
    for number in range(rounds + 1):
        size = max(1, len(asked) // config.halving ** (rounds - number))
        for one in left:
            asking.extend(one, size)
        left.sort(key=lambda one: -one.mean)  # of equal ones the earlier
        if number < rounds:
            left = left[: ceil(len(left) / config.halving)]
        asking.context.progress.say(f"  {size} questions: best {left[0].name}, {config.metric} {left[0].mean:.3f}")
    return left[0]


def _rewritten(tried: list[Tried], best: Tried, asking: Asking, reflection: Reflection) -> Tried:
    """The best of what was found and its rewrites, each asked all questions; of equal ones the earlier."""
    new = rewrite(best, asking, reflection)
    tried += new
    for one in (best, *new):
        asking.extend(one, len(asking.rows))
    return max((best, *new), key=lambda one: one.mean)


def _table(tried: list[Tried], best: Tried, asked: pa.Table) -> dict[str, list[Any]]:
    """A row per prompt and question that it was asked."""
    ids, groups = (asked.column(name).to_pylist() for name in ("id", "group"))
    rows = [
        (one.name, one is best, ids[place], groups[place], score, tokens)
        for one in tried
        for place, (score, tokens) in enumerate(zip(one.scores, one.tokens, strict=True))
    ]
    names = ("prompt", "chosen", "id", "group", "score", "tokens")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _claims(tried: list[Tried], best: Tried, config: PromptStageConfig) -> list[ClaimDraft]:
    """The mean of each prompt on the questions that it was asked; that of the chosen one is the best of many."""

    def draft(one: Tried) -> ClaimDraft:
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
