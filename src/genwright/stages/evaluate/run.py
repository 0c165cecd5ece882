"""The evaluate stage: the system that may be released, scored on held-out documents beside its references."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from genwright.core import Artifact, Context, DataError, Produced, StageResult, modality_component
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import write_scores
from genwright.modalities.dataset import read_split
from genwright.stages.evaluate.answers import evaluate_answers
from genwright.stages.evaluate.claims import generation_claims, likelihood_claims
from genwright.stages.evaluate.config import EvaluateConfig
from genwright.stages.evaluate.drafts import DraftPrompt, draft_claims, measure_draft
from genwright.stages.evaluate.generation import generate_samples, opening, write_samples
from genwright.stages.evaluate.likelihood import bits_of, score_documents
from genwright.stages.evaluate.parents import answering, drafting, parent
from genwright.stages.evaluate.rows import evaluate_rows
from genwright.systems import Manifest, backend_of, load_system, write_manifest


def run(config: EvaluateConfig, context: Context, /) -> StageResult:
    """System, scores by document, samples, and scores by sample.

    Raises:
        DataError: the test split is empty.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    entry = modality_component(context.modality)
    if entry.answers:
        return evaluate_answers(config, context)
    if entry.rows:
        return evaluate_rows(config, context)
    documents = list(read_split(context.inputs["dataset"].path, split="test", columns=("id", "group", "text")))
    if not documents:
        raise DataError(
            "the test split is empty, so nothing can be evaluated", hint="raise data.split.test, or add data"
        )
    folder = context.folder("system")
    manifest = _manifest(config, context)
    write_manifest(manifest, folder=folder)
    system = load_system(folder, locate=_locate(context), device=context.device)
    columns, order = score_documents(documents, system=system, config=config, context=context)
    changed = parent(config, context)
    if changed is not None:
        columns |= _parent_columns(documents, changed[1], manifest=manifest, context=context)
    scores = context.folder("scores")
    write_scores(scores, columns)
    samples = generate_samples(documents, system=system, config=config, context=context)
    write_samples(samples, folder=context.folder("samples"), system=entries_digest(folder_entries(folder)))
    write_scores(context.folder("generation_scores"), samples.columns)
    claims = [
        *likelihood_claims(config, ngram_order=order, changed_by=changed and changed[0]),
        *generation_claims(config, num_samples=len(samples.texts)),
    ]
    kinds = {"system": "system", "scores": "scores", "samples": "samples", "generation_scores": "scores"}
    if config.draft is not None:
        _measure_draft(documents, system=system, config=config, context=context)
        claims += draft_claims(level=config.level, resamples=config.resamples)
        kinds |= {"draft_scores": "scores", "draft_costs": "scores"}
    return StageResult({slot: Produced(kind, context.scratch / slot) for slot, kind in kinds.items()}, claims)


def _manifest(config: EvaluateConfig, context: Context) -> Manifest:
    model = answering(config, context)
    return Manifest(
        backend=backend_of(model.path),
        model=model.digest,
        codec=context.inputs["codec"].digest,
        sampling=config.sampling,
        draft=drafting(config, context),
    )


def _measure_draft(
    documents: Sequence[Mapping[str, Any]], *, system: Any, config: EvaluateConfig, context: Context
) -> None:
    settings = config.generation
    prompts = [
        DraftPrompt(one["id"], one["group"], opening(str(one["text"]), settings.prompt_characters)) for one in documents
    ]
    measure_draft(system, prompts, max_tokens=settings.max_tokens, context=context)


def _parent_columns(
    documents: Sequence[Mapping[str, Any]], model: Artifact, *, manifest: Manifest, context: Context
) -> dict[str, list[Any]]:
    """Bits of each document under the model before it was changed."""
    folder = context.folder("parent")
    write_manifest(
        manifest.model_copy(update={"backend": backend_of(model.path), "model": model.digest, "draft": None}),
        folder=folder,
    )
    system = load_system(folder, locate=_locate(context), device=context.device)
    return {"bits_parent": bits_of([str(document["text"]) for document in documents], system=system, context=context)}


def _locate(context: Context) -> Callable[[str], Path]:
    by_digest: dict[str, Artifact] = {artifact.digest: artifact for artifact in context.inputs.values()}
    return lambda digest: by_digest[digest].path
