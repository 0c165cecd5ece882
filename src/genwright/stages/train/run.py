"""The train stage: tokens from the dataset, one family through the one loop, and the weights to keep."""

from collections.abc import Iterable

import torch

from genwright.core import Artifact, Context, Produced, StageResult
from genwright.core.protocols import Codec, Tokens, TokenShape
from genwright.families.store import build_family, save_family
from genwright.measure import write_scores
from genwright.modalities.codec import load_codec
from genwright.modalities.dataset import num_documents, read_texts
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.log import claims, log_columns
from genwright.stages.train.shape import Shape, resolve
from genwright.trainer import distributed
from genwright.trainer.data import Rows, TokenFile, spread, token_file
from genwright.trainer.feed import TokenFeed
from genwright.trainer.loop import Job, Outcome, train

VALIDATION_ROWS_AT_ONCE = 16


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
    shape = resolve(config, vocab_size=codec.vocab_size)
    tokens = TokenShape(codec.vocab_size, codec.bos_id, codec.eos_id, shape.context_tokens)
    job = _job(shape, tokens, codec, context)
    outcome = train(job, config=shape.trainer, context=context)
    return _result(outcome, shape, tokens, context, validated=bool(job.validation))


def _job(shape: Shape, tokens: TokenShape, codec: Codec, context: Context) -> Job:
    family = build_family(shape.family, shape=tokens, seed=context.seed_for("init")).to(context.device)
    feed = TokenFeed(
        Rows(_tokens("train", codec, context), row_tokens=shape.context_tokens, seed=context.seed_for("rows")),
        device=context.device,
    )
    return Job(
        family=family,
        feed=feed,
        validation=_validation(shape, codec, context),
        batch_rows=shape.batch_rows,
        micro_rows=shape.micro_rows,
        learning_rate=shape.learning_rate,
    )


def _tokens(split: str, codec: Codec, context: Context) -> TokenFile:
    dataset: Artifact = context.inputs["dataset"]

    def texts() -> Iterable[str]:
        with context.progress.task(f"tokenise {split}", total=num_documents(dataset.path, split=split)) as task:
            for text in read_texts(dataset.path, split=split):
                task.advance(1)
                yield text

    key = f"{dataset.digest} {context.inputs['codec'].digest}"
    return token_file(split, texts=texts, codec=codec, folder=context.checkpoints / "tokens", key=key)


def _validation(shape: Shape, codec: Codec, context: Context) -> list[Tokens]:
    """Rows spread evenly over the validation split; none where the split is empty."""
    if not num_documents(context.inputs["dataset"].path, split="validation"):
        return []
    rows = Rows(_tokens("validation", codec, context), row_tokens=shape.context_tokens, seed=0, shuffle=False)
    most = max(1, shape.trainer.validation.max_tokens // shape.context_tokens)
    chosen = spread(rows.rows_per_epoch, most=most)
    feed = TokenFeed(rows, device=context.device)
    batches = [chosen[at : at + VALIDATION_ROWS_AT_ONCE] for at in range(0, len(chosen), VALIDATION_ROWS_AT_ONCE)]
    return [Tokens(torch.cat([feed.take(row, count=1).ids for row in batch])) for batch in batches]


def _result(outcome: Outcome, shape: Shape, tokens: TokenShape, context: Context, *, validated: bool) -> StageResult:
    model, log = context.folder("model"), context.folder("training_log")
    save_family(model, config=shape.family, shape=tokens, tensors=outcome.tensors, facts=_facts(outcome, shape=shape))
    write_scores(log, log_columns(outcome, num_parameters=shape.num_parameters))
    artifacts = {"model": Produced("model", model), "training_log": Produced("scores", log)}
    return StageResult(artifacts, claims(validated=validated))


def _facts(outcome: Outcome, *, shape: Shape) -> dict[str, object]:
    """What is true of the training whenever it is repeated: no times."""
    return {
        "num_parameters": shape.num_parameters,
        "num_steps": outcome.num_steps,
        "kept_step": outcome.kept_step,
        "batch_tokens": shape.batch_tokens,
        "training_tokens": outcome.num_steps * shape.batch_tokens,
        "learning_rate": shape.learning_rate,
        "precision": outcome.precision,
        "compiled": outcome.compiled,
        "loss_curve": [[row.step, row.train_loss, row.validation_loss] for row in outcome.log],
    }
