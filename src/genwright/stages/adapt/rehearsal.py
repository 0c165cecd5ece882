"""Texts of another kind that are read again beside the answers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from genwright.core import Context, DataError
from genwright.core.protocols import Sample
from genwright.families.rehearsed import Rehearsed, RehearsedTuning
from genwright.stages.adapt.config import AdaptConfig, RehearsalConfig
from genwright.stages.adapt.general import read_general, read_texts
from genwright.stages.adapt.material import Material, Splits, held_out_answers
from genwright.stages.adapt.model import Adaptable
from genwright.trainer.packed import PackedFeed, Sequences


class RehearsedFeed:
    """Batches of answers with stretches of text beside them, `share` of one for each answer."""

    row_units = 1
    unit: Literal["token", "sample"] = "sample"

    def __init__(self, answers: PackedFeed, *, stretches: PackedFeed, share: float) -> None:
        self.answers, self.stretches, self.share = answers, stretches, share
        self.sequences = answers.sequences

    def __len__(self) -> int:
        return len(self.answers)

    def numbers(self, first: int, /, *, count: int) -> Any:
        """Which answers those rows are."""
        return self.answers.numbers(first, count=count)

    def take(self, first: int, /, *, count: int) -> Rehearsed:
        """Rows first .. first + count - 1 of the whole training, and the stretches that fall to them."""
        begin, end = (int(row * self.share) for row in (first, first + count))
        stretches = self.stretches.take(begin, count=end - begin) if end > begin else None
        return Rehearsed(self.answers.take(first, count=count), stretches, self.share)


def rehearsed_material(
    config: AdaptConfig, context: Context, *, adaptable: Adaptable, splits: Splits, codec: Any
) -> Material:
    """Answers to learn beside texts to keep; validation looks at answers alone.

    Raises:
        DataError: there is no text besides those that `general` measures.
    """
    rehearsal, train = config.rehearsal, splits["train"].sequences
    assert rehearsal is not None
    texts = _texts(config, context)
    sequences = Sequences.of(list(_stretches(texts, rehearsal, codec=codec)))
    context.progress.say(f"  {len(sequences):,} stretches of {len(texts):,} texts to keep")
    answers = PackedFeed(train, seed=context.seed_for("rows"), device=context.device)
    stretches = PackedFeed(sequences, seed=context.seed_for("stretches"), device=context.device)
    base = copy.deepcopy(adaptable.net) if adaptable.kind is None and rehearsal.towards == "base" else None
    family = RehearsedTuning(adaptable.net, towards=rehearsal.towards, weight=rehearsal.weight, base=base)
    feed = RehearsedFeed(answers, stretches=stretches, share=rehearsal.share)
    row_tokens = int(train.sizes.max()) + int(rehearsal.share * sequences.sizes.max())
    return Material(family, feed, held_out_answers(splits, context), "token", row_tokens=row_tokens)


def _texts(config: AdaptConfig, context: Context) -> list[Sample]:
    assert config.rehearsal is not None
    measured = [] if config.general is None else read_general(config.general, context)
    ids, known = {sample.id for sample in measured}, {sample.text for sample in measured}
    asked = config.rehearsal.sources
    texts = [one for one in read_texts(asked, context) if one.id not in ids and one.text not in known]
    if not texts:
        raise DataError(
            "adapt.rehearsal names no text besides those of adapt.general",
            hint="give it other sources, or lower adapt.general.max_documents",
        )
    return texts[: config.rehearsal.max_documents]


def _stretches(
    texts: Sequence[Sample], rehearsal: RehearsalConfig, *, codec: Any
) -> Iterator[tuple[Sequence[int], int]]:
    """Pieces of the texts that share one token; a last piece of a single token says nothing."""
    for encoded in codec.encode([sample.text for sample in texts]):
        tokens = (codec.bos_id, *(int(token) for token in encoded), codec.eos_id)
        for start in range(0, len(tokens) - 1, rehearsal.stretch_tokens):
            yield tokens[start : start + rehearsal.stretch_tokens + 1], 1
