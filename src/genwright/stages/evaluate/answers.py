"""Evaluating a system that answers: held-out questions are asked of it, of what it is compared with, and of a floor."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from genwright.core import (
    Artifact,
    ClaimDraft,
    Context,
    DataError,
    Derivation,
    Produced,
    SpecError,
    StageResult,
    modality_component,
)
from genwright.core.digest import entries_digest, folder_entries
from genwright.core.protocols import Candidate
from genwright.measure import write_scores
from genwright.modalities.chat.baselines import BASELINES
from genwright.modalities.chat.messages import answer, answered, asked, chats, question
from genwright.modalities.dataset import read_rows
from genwright.stages.evaluate.drafts import DraftPrompt, draft_claims, measure_draft
from genwright.stages.evaluate.parents import answering, drafting, parent
from genwright.systems import Manifest, backend_of, load_system, write_manifest
from genwright.systems.batches import complete
from genwright.systems.http.costs import cost_claims, cost_columns, spending
from genwright.systems.http.settings import UNPINNED
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import Prompt
from genwright.systems.prompts.examples import draw_examples

ANSWERS_AT_ONCE = 16
NATS_PER_BIT = 0.6931471805599453


def evaluate_answers(config: Any, context: Context, /) -> StageResult:
    """System, metrics of all answers, the answers, and how likely the reference answers are.

    Raises:
        DataError: the test split is empty.
        SpecError: a system to compare with has a model that no section of the project makes.
    """
    splits = {name: read_rows(context.inputs["dataset"].path, split=name) for name in ("train", "test")}
    if not len(splits["test"]):
        raise DataError(
            "the test split is empty, so nothing can be evaluated", hint="raise data.split.test, or add data"
        )
    test = _drawn(splits["test"], config.num_questions, context)
    modality = modality_component(context.modality).load()()
    folder = context.folder("system")
    candidates, likely = [], []
    spent: dict[str, dict[str, float]] = {}
    own = _system(config, context, folder)
    for name, label, load in [("system", "", own), *_others(config, context)]:
        texts, bits, costs = _told(load, test, config, context, name)
        spent |= {name: costs} if costs else {}
        candidates.append(Candidate(name, label, answered(test, texts)))
        likely.append(bits)
    for number, name in enumerate(config.metrics.baselines):
        found = BASELINES[name](splits["train"], test)
        candidates.append(Candidate(f"baseline {number + 1}", f"baseline: {name}", answered(test, found)))
    measured = modality.measure(
        candidates, train=splits["train"], test=test, config=config.metrics, seed=context.seed_for("measure")
    )
    write_scores(context.folder("scores"), measured.columns)
    write_scores(context.folder("generation_scores"), _merged(test, likely))
    _write_samples(candidates, modality, context.folder("samples"), folder)
    kinds = {"system": "system", "scores": "scores", "samples": "samples", "generation_scores": "scores"}
    drafts = [*measured.drafts, *_likelihood_claims(candidates, likely, config)]
    if spent:
        write_scores(context.folder("remote_costs"), cost_columns(spent))
        sides = [(one.name, one.label) for one in candidates if one.name in spent]
        drafts += cost_claims("system", "remote_costs", sides)
        kinds |= {"remote_costs": "scores"}
    if config.draft is not None:
        prompts = [DraftPrompt(row["id"], row["group"], question(chat)) for row, chat in _with_chats(test)]
        measure_draft(own(), prompts, max_tokens=config.max_tokens, context=context)
        drafts += draft_claims(level=config.metrics.level, resamples=config.metrics.resamples)
        kinds |= {"draft_scores": "scores", "draft_costs": "scores"}
    produced = {slot: Produced(kind, context.scratch / slot) for slot, kind in kinds.items()}
    remote = backend_of(answering(config, context).path) == "http"
    return StageResult(produced, _unpinned(drafts) if remote else drafts)


def _unpinned(drafts: Sequence[ClaimDraft]) -> list[ClaimDraft]:
    """The claims with what has to be said of a model that has no digest."""
    named = ("; ".join(part for part in (draft.label, UNPINNED) if part) for draft in drafts)
    return [
        draft if UNPINNED in draft.label else replace(draft, label=label)
        for draft, label in zip(drafts, named, strict=True)
    ]


def _with_chats(test: pa.Table) -> list[tuple[dict[str, Any], Any]]:
    return list(zip(test.select(["id", "group"]).to_pylist(), chats(test), strict=True))


def _drawn(test: pa.Table, num: int | None, context: Context) -> pa.Table:
    if num is None or num >= len(test):
        return test
    rng = np.random.default_rng(context.seed_for("questions"))
    return test.take(pa.array(np.sort(rng.permutation(len(test))[:num])))


# --- the systems ---------------------------------------------------------------------------------------------


Load = Callable[[], Any]


def _system(config: Any, context: Context, folder: Path) -> Load:
    manifest = _manifest(config, context, answering(config, context), draft=drafting(config, context))
    if "prompt" in context.inputs:
        manifest = manifest.model_copy(update={"prompt": context.inputs["prompt"].digest})
    write_manifest(manifest, folder=folder)
    return lambda: _loaded(folder, context)


def _manifest(config: Any, context: Context, model: Artifact, *, draft: str | None = None) -> Manifest:
    codec = context.inputs["codec"].digest
    return Manifest(
        backend=backend_of(model.path),
        modality=context.modality,
        model=model.digest,
        codec=codec,
        sampling=config.sampling,
        draft=draft,
    )


def _loaded(folder: Path, context: Context) -> Any:
    paths = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    return load_system(folder, locate=paths.__getitem__, device=context.device)


def _others(config: Any, context: Context) -> list[tuple[str, str, Load]]:
    """(name, label, how to load it) of what the system is compared with; each is in memory while it is asked.

    Those are what it was before its model was changed, with a prompt of its own what it is without that, and what the
    settings name.
    """
    found = []
    changed = parent(config, context)
    if changed is not None:
        stage, model = changed
        prompt = context.inputs["prompt"].digest if "prompt" in context.inputs else None
        manifest = _manifest(config, context, model).model_copy(update={"prompt": prompt})
        found.append(("parent", f"reference: before [{stage}]", _made("parent", manifest, context)))
    if "prompt" in context.inputs:
        found.append(("plain", "reference: plain, as asked", _other(None, None, config, context, "plain")))
    return [
        *found,
        *(
            (one.name, f"reference: {one.name}", _other(one.model, one.prompt, config, context, one.name))
            for one in config.against
        ),
    ]


def _made(name: str, manifest: Manifest, context: Context) -> Load:
    folder = context.folder(f"against-{name}")
    write_manifest(manifest, folder=folder)
    return lambda: _loaded(folder, context)


def _other(model: str | None, pattern: Any, config: Any, context: Context, name: str) -> Load:
    if model is not None and f"model:{model}" not in context.inputs:
        raise SpecError(
            f"evaluate.against '{name}' asks for the model of [{model}], and this project has no such section"
        )
    artifact = answering(config, context) if model is None else context.inputs[f"model:{model}"]
    load = _made(name, _manifest(config, context, artifact), context)
    if pattern is None:
        return load
    dataset = context.inputs["dataset"].path
    examples = draw_examples(pattern, dataset=dataset, seed=context.seed_for("examples"))
    return lambda: PromptedSystem(load(), prompt=Prompt(pattern=pattern, examples=examples))


# --- what they say -------------------------------------------------------------------------------------------


def _told(
    load: Load, test: pa.Table, config: Any, context: Context, name: str
) -> tuple[list[str], dict[str, list[float]], dict[str, float] | None]:
    system = load()
    texts = _ask(system, test, config, context, name)
    return texts, _likelihood(system, test, name), spending(system)


def _ask(system: Any, test: pa.Table, config: Any, context: Context, name: str) -> list[str]:
    questions = [question(chat) for chat in chats(test)]
    made = complete(
        system,
        questions,
        max_tokens=config.max_tokens,
        seeds=[context.seed_for(f"{name} {number}") for number in range(len(questions))],
        progress=context.progress,
        title=f"ask {len(questions):,} questions: {name}",
    )
    return [completion.text.strip() for completion in made]


def _likelihood(system: Any, test: pa.Table, name: str) -> dict[str, list[float]]:
    """Bits and bytes of each reference answer; nothing for a system that gives no likelihoods."""
    if not hasattr(system, "answer_log_prob"):
        return {}
    wanted = [answer(chat) for chat in chats(test)]
    scores = []
    for at in range(0, len(wanted), ANSWERS_AT_ONCE):
        questions = [question(chat) for chat in chats(test.slice(at, ANSWERS_AT_ONCE))]
        scores += system.answer_log_prob(questions, wanted[at : at + ANSWERS_AT_ONCE])
    if not scores:
        return {}
    bits = [score.nats / NATS_PER_BIT for score in scores]
    return {f"bits_{name}": bits, "bytes": [float(score.num_bytes) for score in scores]}


def _merged(test: pa.Table, likely: Sequence[dict[str, list[float]]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: test.column(name).to_pylist() for name in ("id", "group")}
    for one in likely:
        columns |= one
    return columns


def _likelihood_claims(
    candidates: Sequence[Candidate], likely: Sequence[dict[str, list[float]]], config: Any
) -> list[ClaimDraft]:
    shared: dict[str, Any] = {
        "interval": "bootstrap", "level": config.metrics.level, "cluster": "group",
        "resamples": config.metrics.resamples,
    }  # fmt: skip
    drafts = []
    for candidate, columns in zip(candidates, likely, strict=False):  # baselines have none
        if columns:
            roles = {"numerator": f"bits_{candidate.name}", "denominator": "bytes"}
            drafts.append(_bits("bits_per_byte", candidate.label, Derivation("ratio", roles, **shared)))
    if not likely[0]:
        return drafts
    for candidate, columns in zip(candidates[1:], likely[1:], strict=False):
        if columns:
            roles = {"numerator_a": "bits_system", "numerator_b": f"bits_{candidate.name}", "denominator": "bytes"}
            plain = candidate.label.removeprefix("reference: ")
            difference = Derivation("ratio_difference", roles, **shared)
            drafts.append(_bits("bits_per_byte_difference", f"system minus {plain}", difference))
            over = {"numerator": "bits_system", "denominator": f"bits_{candidate.name}"}
            drafts.append(_bits("bits_per_byte_ratio", f"system over {plain}", Derivation("ratio", over, **shared)))
    return drafts


def _bits(metric: str, label: str, derivation: Derivation) -> ClaimDraft:
    return ClaimDraft(
        "system", metric, "1" if metric.endswith("ratio") else "bit/byte of answer", "generation_scores", derivation,
        label=label, data="dataset", better="lower", headline=metric == "bits_per_byte",
    )  # fmt: skip


def _write_samples(candidates: Sequence[Candidate], modality: Any, folder: Path, system: Path) -> None:
    modality.write(candidates[0].rows, folder)
    preview = modality.preview(candidates[0].rows, folder / "preview")
    said = {one.label or one.name: [answer(chat) for chat in chats(one.rows)] for one in candidates}
    shown = [{"prompt": asked(chat), "text": answer(chat)} for chat in chats(candidates[0].rows)]
    body = {
        "system": entries_digest(folder_entries(system)), "samples": shown, "answers": said, "preview": preview.name,
    }  # fmt: skip
    (folder / "samples.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
