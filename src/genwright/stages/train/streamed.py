"""Training material from documents of any length: packed rows without padding."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from genwright.core import Artifact, Context
from genwright.core.protocols import Batch, Codec, Tokens, TokenShape
from genwright.modalities.dataset import num_rows, read_texts
from genwright.stages.train.shape import Resolved
from genwright.trainer.data import Rows, TokenFile, spread, token_file
from genwright.trainer.engine import Feed
from genwright.trainer.feed import TokenFeed
from genwright.trainer.private import Mechanism

ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Material:
    """What training draws from, what it is validated on, and every row of the train split once.

    With a `mechanism`, private training draws by that instead.
    """

    feed: Feed
    validation: Sequence[Batch]
    all_batches: Callable[[], Iterator[Batch]]
    mechanism: Mechanism | None = None


def stream_material(resolved: Resolved, codec: Codec, context: Context, /) -> Material:
    """Rows of the context's length from the documents end to end.

    Raises:
        DataError: the train split holds no text.
    """
    assert isinstance(resolved.shape, TokenShape)
    row_tokens = resolved.shape.context_tokens
    file = _tokens("train", codec, context)
    feed = TokenFeed(Rows(file, row_tokens=row_tokens, seed=context.seed_for("rows")), device=context.device)
    once = Rows(file, row_tokens=row_tokens, seed=0, shuffle=False)

    def all_batches() -> Iterator[Batch]:
        return iter(_batches(once, range(once.rows_per_epoch), context))

    return Material(feed, _validation(resolved, codec, context, row_tokens=row_tokens), all_batches)


def _tokens(split: str, codec: Codec, context: Context) -> TokenFile:
    dataset: Artifact = context.inputs["dataset"]

    def texts() -> Iterable[str]:
        with context.progress.task(f"tokenise {split}", total=num_rows(dataset.path, split=split)) as task:
            for text in read_texts(dataset.path, split=split):
                task.advance(1)
                yield text

    key = f"{dataset.digest} {context.inputs['codec'].digest}"
    return token_file(split, texts=texts, codec=codec, folder=context.checkpoints / "tokens", key=key)


def _validation(resolved: Resolved, codec: Codec, context: Context, *, row_tokens: int) -> list[Batch]:
    """Rows spread evenly over the validation split; none where the split is empty."""
    if not num_rows(context.inputs["dataset"].path, split="validation"):
        return []
    rows = Rows(_tokens("validation", codec, context), row_tokens=row_tokens, seed=0, shuffle=False)
    most = max(1, resolved.trainer.validation.max_tokens // row_tokens)
    return list(_batches(rows, spread(rows.rows_per_epoch, most=most), context))


def _batches(rows: Rows, chosen: Sequence[int], context: Context) -> Iterable[Any]:
    feed = TokenFeed(rows, device=context.device)
    for at in range(0, len(chosen), ROWS_AT_ONCE):
        yield Tokens(torch.cat([feed.take(row, count=1).ids for row in chosen[at : at + ROWS_AT_ONCE]]))
