"""The train stage: what the codec makes of the train split, one family through the one loop, the weights to keep."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import torch

from genwright.core import Context, Produced, StageResult
from genwright.core.protocols import Fitted, RowCodec, TokenShape
from genwright.families.store import build_family, save_family
from genwright.measure import write_scores
from genwright.modalities.codec import load_codec
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.fitting import fit_in_one_pass
from genwright.stages.train.private import privacy_claim
from genwright.stages.train.sampled import row_material
from genwright.stages.train.shape import Resolved, resolve
from genwright.stages.train.streamed import Material, stream_material
from genwright.trainer import distributed
from genwright.trainer.log import claims, log_columns, sign_claims
from genwright.trainer.loop import Job, Outcome, train


def run(config: TrainConfig, context: Context, /) -> StageResult:
    """The trained model and its log.

    Raises:
        DataError: the train split is empty.
        DivergenceError: the loss is not finite or has run away.
        Interrupted: the user stopped; a checkpoint is written.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    distributed.join(context.device)
    codec = load_codec(context.inputs["codec"].path)
    stream = not isinstance(codec, RowCodec)
    shape = TokenShape(codec.vocab_size, codec.bos_id, codec.eos_id, 0) if stream else codec.shape
    resolved = resolve(config, shape=shape, stream=stream)
    family = build_family(resolved.family, shape=resolved.shape, seed=context.seed_for("init"))
    if stream:
        material = stream_material(resolved, codec, context)
    else:
        by_length = getattr(family, "takes_rows_by_length", False)
        material = row_material(resolved, codec, context, by_length=by_length)
    if isinstance(family, Fitted):
        outcome = fit_in_one_pass(family, material=material, context=context)
    else:
        outcome = _train(family.to(context.device), resolved, material, context)
    return _result(outcome, resolved, context, material=material, signs=getattr(family, "signs", {}))


def _train(family: Any, resolved: Resolved, material: Material, context: Context) -> Outcome:
    job = Job(
        family=family,
        feed=material.feed,
        validation=material.validation,
        batch_rows=resolved.batch_rows,
        micro_rows=resolved.micro_rows,
        learning_rate=resolved.learning_rate,
        mechanism=material.mechanism,
    )
    outcome = train(job, config=resolved.trainer, context=context)
    return _finished(outcome, family=family, material=material, context=context)


def _finished(outcome: Outcome, *, family: Any, material: Material, context: Context) -> Outcome:
    """The outcome after the family's own last step on the weights that are kept, where it has one.

    That step looks at the train split without noise: private training goes without.
    """
    if not hasattr(family, "finish") or outcome.mechanism is not None:
        return outcome
    context.progress.say("  last step of the family on the train split")
    family.float().load_state_dict(outcome.tensors)
    family.eval()
    rng = torch.Generator().manual_seed(context.seed_for("finish"))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(context.seed_for("finish"))
        family.finish(cast("Iterator[Any]", material.all_batches()), rng=rng)
    tensors = {name: value.detach().clone() for name, value in family.state_dict().items()}
    return replace(outcome, tensors=tensors)


def _result(
    outcome: Outcome,
    resolved: Resolved,
    context: Context,
    *,
    material: Material,
    signs: Mapping[str, tuple[str, str]],
) -> StageResult:
    model, log = context.folder("model"), context.folder("training_log")
    num_parameters = resolved.num_parameters or sum(value.numel() for value in outcome.tensors.values())
    facts = _facts(outcome, resolved=resolved, num_parameters=num_parameters, unit=material.feed.unit)
    save_family(model, config=resolved.family, shape=resolved.shape, tensors=outcome.tensors, facts=facts)
    write_scores(log, log_columns(outcome, num_parameters=num_parameters))
    artifacts = {"model": Produced("model", model), "training_log": Produced("scores", log)}
    validated = any(row.validation_loss is not None for row in outcome.log)
    drafts = [*claims(validated=validated, unit=material.feed.unit), *sign_claims(outcome, signs)]
    if outcome.mechanism is not None and (privacy := resolved.trainer.privacy) is not None:
        drafts = [*drafts, privacy_claim(privacy)]
    return StageResult(artifacts, drafts)


def _privacy_facts(outcome: Outcome, resolved: Resolved) -> dict[str, object]:
    """How training was private, where it was; the seed of the noise stays in the ledger."""
    mechanism, privacy = outcome.mechanism, resolved.trainer.privacy
    if mechanism is None or privacy is None:
        return {}
    kept = {"unit": privacy.unit, "delta": privacy.delta, "max_grad_norm": mechanism.bound}
    return {"privacy": kept | {"noise_multiplier": mechanism.multiplier, "sampling_rate": mechanism.rate}}


def _facts(outcome: Outcome, *, resolved: Resolved, num_parameters: int, unit: str) -> dict[str, object]:
    """What is true of the training whenever it is repeated: no times."""
    return {
        "num_parameters": num_parameters,
        "num_steps": outcome.num_steps,
        "kept_step": outcome.kept_step,
        f"training_{unit}s": outcome.log[-1].units if outcome.log else 0,
        "batch_rows": resolved.batch_rows,
        "learning_rate": resolved.learning_rate,
        "precision": outcome.precision,
        "compiled": outcome.compiled,
        **_privacy_facts(outcome, resolved),
        "loss_curve": [[row.step, row.train_loss, row.validation_loss] for row in outcome.log],
    }
