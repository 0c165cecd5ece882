"""Questions whose answers a verifier rewards."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

from genwright.core import Context
from genwright.families.answers import Drawing
from genwright.families.group_policy import GroupPolicy, Questions
from genwright.modalities.chat.verifiers import verify
from genwright.stages.adapt.config import GrpoConfig
from genwright.stages.adapt.material import Material, Splits
from genwright.stages.adapt.model import Adaptable
from genwright.stages.adapt.samples import Sample
from genwright.trainer.packed import PackedFeed, Sequences


class QuestionFeed:
    """Batches of questions; `first_number` tells those of one split from another's."""

    row_units = 1
    unit: Literal["token", "sample"] = "sample"

    def __init__(self, samples: Sequence[Sample], *, seed: int, shuffle: bool, first_number: int) -> None:
        questions = [(sample.tokens[: sample.num_given], sample.num_given) for sample in samples]
        self.sequences = Sequences.of(questions)
        self._order = PackedFeed(self.sequences, seed=seed, device="cpu", shuffle=shuffle)
        self._questions, self._first_number = questions, first_number

    def __len__(self) -> int:
        return len(self._questions)

    def numbers(self, first: int, /, *, count: int) -> Any:
        """Which questions those rows are."""
        return self._order.numbers(first, count=count)

    def take(self, first: int, /, *, count: int) -> Questions:
        """Rows first .. first + count - 1 of the whole training."""
        numbers = self.numbers(first, count=count).tolist()
        ids = tuple(tuple(int(token) for token in self._questions[number][0]) for number in numbers)
        return Questions(tuple(self._first_number + number for number in numbers), ids)


def reward_material(
    objective: GrpoConfig, context: Context, *, adaptable: Adaptable, splits: Splits, codec: Any
) -> Material:
    """Questions to answer and to look at; the reference is a copy of the net as it is now."""
    samples = [sample for split in splits.values() for sample in split.kept]

    def reward(number: int, answers: Sequence[Sequence[int]]) -> list[float]:
        return verify(objective.verifier, messages=samples[number].messages, answers=codec.decode(answers))

    stops = frozenset({codec.eos_id, *codec.stop_ids})
    context_tokens = adaptable.family.shape.context_tokens
    drawing = Drawing(objective.group_size, objective.max_tokens, objective.temperature, stops, context_tokens)
    reference = copy.deepcopy(adaptable.net).eval()
    policy = GroupPolicy(adaptable.net, reference=reference, verify=reward, drawing=drawing, kl=objective.kl)
    train = splits["train"].kept
    feed = QuestionFeed(train, seed=context.seed_for("rows"), shuffle=True, first_number=0)
    held_out = None
    if "validation" in splits:
        held_out = QuestionFeed(splits["validation"].kept, seed=0, shuffle=False, first_number=len(train))
    longest = int(feed.sequences.sizes.max()) + objective.max_tokens
    return Material(policy, feed, held_out, "question", row_tokens=objective.group_size * longest)
