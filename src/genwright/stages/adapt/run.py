"""The adapt stage: a model goes in, a model of the same layout comes out, with its adapter beside it."""

from __future__ import annotations

from typing import Any

import torch

from genwright.core import Context, Produced, StageResult
from genwright.families.store import load_family
from genwright.measure import write_scores
from genwright.modalities.codec import load_codec
from genwright.stages.adapt.claims import adapt_claims, logged_columns, sample_columns
from genwright.stages.adapt.config import AdaptConfig
from genwright.stages.adapt.general import COLUMNS, general_claims, general_columns, read_general
from genwright.stages.adapt.material import Material, read_splits
from genwright.stages.adapt.model import Adaptable, base_facts, load_adaptable, write_adapter, write_model
from genwright.stages.adapt.objectives import make_material
from genwright.stages.adapt.plan import Plan, resolve
from genwright.trainer import distributed
from genwright.trainer.loop import Job, Outcome, train


def run(config: AdaptConfig, context: Context, /) -> StageResult:
    """The adapted model, its adapter, the training log, the samples, and what was forgotten.

    Raises:
        CapabilityError: the model is no transformer of ours, or chats meet a model without a template.
        DataError: no sample fits the context, or an adapter to start from is of another model.
        DivergenceError: the loss is not finite or has run away.
        Interrupted: the user stopped; a checkpoint is written.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    distributed.join(context.device)
    codec = load_codec(context.inputs["codec"].path)
    adaptable = load_adaptable(config, context)
    splits = read_splits(config, context, codec=codec, context_tokens=adaptable.family.shape.context_tokens)
    material = make_material(config, context, adaptable=adaptable, splits=splits, codec=codec)
    plan = resolve(config, material=material)
    outcome = _train(material, plan, config=config, context=context)
    num_trainable = adaptable.num_trainable
    adaptable = load_adaptable(config, context)  # as it came, in float32: training may have rounded what is frozen
    adaptable.take(outcome.tensors)
    facts = _write_model(adaptable, outcome, config=config, context=context)
    rows = {"batch_rows": plan.batch_rows, "num_parameters": facts["num_parameters"]}
    write_scores(
        context.folder("training_log"), logged_columns(outcome, feed=material.feed, num_trainable=num_trainable, **rows)
    )
    write_scores(context.folder("adapt_samples"), sample_columns(splits))
    drafts = adapt_claims(material, validated=any(row.validation_loss is not None for row in outcome.log))
    drafts += _forgetting(config, context, codec=codec)
    kinds = {"model": "model", "adapter": "adapter"}
    names = (*kinds, "training_log", "adapt_samples", "general_scores")
    return StageResult({name: Produced(kinds.get(name, "scores"), context.scratch / name) for name in names}, drafts)


def _train(material: Material, plan: Plan, *, config: AdaptConfig, context: Context) -> Outcome:
    most = config.trainer.validation.max_samples
    job = Job(
        family=material.family,
        feed=material.feed,
        validation=material.validation(rows_at_once=plan.micro_rows, most=most),
        batch_rows=plan.batch_rows,
        micro_rows=plan.micro_rows,
        learning_rate=plan.learning_rate,
    )
    return train(job, config=plan.trainer, context=context)


def _write_model(adaptable: Adaptable, outcome: Outcome, *, config: AdaptConfig, context: Context) -> dict[str, Any]:
    """Both forms of the result; what the model's description says of its making."""
    facts = base_facts(context) | {
        "num_parameters": sum(value.numel() for value in adaptable.merged().values()),
        "adapted_from": context.inputs["model"].digest,
        "adapted_by": config.method,
        "num_steps": outcome.num_steps,
        "kept_step": outcome.kept_step,
        "precision": outcome.precision,
    }
    write_model(adaptable, context.folder("model"), facts=facts)
    write_adapter(adaptable, context.folder("adapter"), context=context)
    return facts


def _forgetting(config: AdaptConfig, context: Context, *, codec: Any) -> list[Any]:
    """Scores and claims of general texts under the model before and after; none where no texts are named."""
    folder = context.folder("general_scores")
    if config.general is None:
        context.progress.say("  [adapt.general] names no texts: what the model forgot is not measured")
        write_scores(folder, {name: [] for name in COLUMNS})
        return []
    samples = read_general(config.general, context)
    columns = general_columns(samples, _sides(context), codec=codec, config=config.general, context=context)
    write_scores(folder, columns)
    return general_claims(config.level)


def _sides(context: Context) -> dict[str, Any]:
    folders = {"before": context.inputs["model"].path, "after": context.scratch / "model"}
    return {side: load_family(folder, device=context.device) for side, folder in folders.items()}
