"""What an objective trains on: the family that holds the loss, batches to learn, and batches to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from genwright.core import Context, DataError
from genwright.stages.adapt.config import AdaptConfig
from genwright.stages.adapt.samples import Split, encode_split
from genwright.trainer.packed import PackedFeed

Splits = dict[str, Split]


@dataclass(frozen=True)
class Material:
    """A feed knows which of its `sequences` each row is made of.

    `loss_unit` is what a loss is of, and `row_tokens` the most tokens that one row puts into a backward pass.
    """

    family: Any
    feed: Any
    held_out: Any | None
    loss_unit: Literal["token", "pair", "question"]
    row_tokens: int

    def validation(self, *, rows_at_once: int, most: int) -> list[Any]:
        """The held-out batches, at most so many rows in all; none where nothing is held out."""
        if self.held_out is None:
            return []
        count = min(most, len(self.held_out))
        starts = range(0, count, rows_at_once)
        return [self.held_out.take(at, count=min(rows_at_once, count - at)) for at in starts]


def read_splits(config: AdaptConfig, context: Context, *, codec: Any, context_tokens: int) -> Splits:
    """What fits the context of the train split, and of the validation split where there is something.

    Raises:
        DataError: nothing of the train split fits.
    """
    longest = min(config.context_tokens or context_tokens, context_tokens)
    most = config.trainer.validation.max_samples
    asked: dict[str, Any] = {"context_tokens": longest, "truncate": config.too_long == "truncate"}
    found = {
        "train": encode_split(codec, context, split="train", **asked),
        "validation": encode_split(codec, context, split="validation", most=most, **asked),
    }
    splits = {name: split for name, split in found.items() if split is not None}
    if "train" not in splits:
        raise DataError(
            f"no sample of the train split fits {longest:,} tokens",
            hint="look at what the data stage dropped; raise base.context_tokens or adapt.context_tokens, "
            "or adapt.too_long = 'truncate'",
        )
    if splits["train"].dropped:
        context.progress.say(f"  {len(splits['train'].dropped)} samples are longer than {longest:,} tokens: left out")
    return splits


def held_out_answers(splits: Splits, context: Context) -> PackedFeed | None:
    """The answers of the validation split in their order; None where there is none."""
    if "validation" not in splits:
        return None
    return PackedFeed(splits["validation"].sequences, seed=0, device=context.device, shuffle=False)
