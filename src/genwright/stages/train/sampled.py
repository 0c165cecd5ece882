"""Training material from samples that stand for themselves."""

from collections.abc import Iterator

from genwright.core import Context
from genwright.core.protocols import Batch, Encoded, RowCodec
from genwright.modalities.dataset import num_rows, read_tables
from genwright.stages.train.private import mechanism_of
from genwright.stages.train.shape import Resolved
from genwright.stages.train.streamed import Material
from genwright.trainer.rows import RowFeed, store_rows

ROWS_AT_ONCE = 512


def row_material(resolved: Resolved, codec: RowCodec, context: Context, /, *, by_length: bool = False) -> Material:
    """Encoded rows of the train split on disk, and as many of the validation split as the settings ask for.

    With `by_length`, each batch holds rows of like length. Where privacy is asked for, training draws by its mechanism.

    Raises:
        DataError: the train split holds no sample.
        SpecError: privacy cannot be had so.
    """
    train = _stored("train", codec, context)
    feed = RowFeed(
        train,
        shape=resolved.shape,
        seed=context.seed_for("rows"),
        device=context.device,
        alike_rows=resolved.batch_rows if by_length else None,
    )
    validation: list[Batch] = []
    if num_rows(context.inputs["dataset"].path, split="validation"):
        held_out = _stored("validation", codec, context)
        rows = RowFeed(held_out, shape=resolved.shape, seed=0, device=context.device, shuffle=False)
        most = resolved.trainer.validation.max_samples
        validation = [
            rows.take(at, count=min(ROWS_AT_ONCE, len(rows) - at))
            for at in range(0, min(most, len(rows)), ROWS_AT_ONCE)
        ]

    def all_batches() -> Iterator[Batch]:
        return feed.all_batches(size=ROWS_AT_ONCE)

    return Material(feed, validation, all_batches, mechanism_of(resolved, feed, context))


def _stored(split: str, codec: RowCodec, context: Context) -> Encoded:
    dataset = context.inputs["dataset"]

    def encoded() -> Iterator[Encoded]:
        with context.progress.task(f"encode {split}", total=num_rows(dataset.path, split=split)) as task:
            for table in read_tables(dataset.path, split=split):
                task.advance(len(table))
                yield codec.encode(table)
                if split == "train" and hasattr(codec, "copies"):
                    yield from codec.copies(table)

    key = f"{dataset.digest} {context.inputs['codec'].digest}"
    return store_rows(split, encoded=encoded(), folder=context.checkpoints / "rows", key=key)
