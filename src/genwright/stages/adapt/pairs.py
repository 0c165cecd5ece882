"""Pairs of a better and a worse answer: read from a file, or made by verifying what the model answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from genwright.core import Context, DataError
from genwright.core.rng import derive_seed
from genwright.families.answers import Drawing, draw_answers
from genwright.families.preference import GoodOrBadTuning, OddsTuning, Pairs, PreferenceTuning
from genwright.families.tuning import Tuning, per_sequence
from genwright.modalities.chat.verifiers import verify
from genwright.stages.adapt.config import DpoConfig, KtoConfig, OrpoConfig, PairsConfig, pairs_file
from genwright.stages.adapt.material import Material, Splits
from genwright.stages.adapt.model import Adaptable
from genwright.stages.adapt.samples import Sample
from genwright.trainer.packed import PackedFeed, Sequences

Messages = Sequence[Mapping[str, str]]
ROWS_AT_ONCE = 8


@dataclass(frozen=True)
class Preference:
    """A question and two answers to it."""

    question: Messages
    chosen: str
    rejected: str


class PairFeed:
    """Batches of pairs with what they were worth before training."""

    row_units = 1
    unit: Literal["token", "sample"] = "sample"

    def __init__(self, feed: PackedFeed, *, reference: torch.Tensor) -> None:
        self.feed, self.sequences, self._reference = feed, feed.sequences, reference

    def __len__(self) -> int:
        return len(self.feed)

    def numbers(self, first: int, /, *, count: int) -> Any:
        """Which sequences those rows are."""
        return self.feed.numbers(first, count=count)

    def take(self, first: int, /, *, count: int) -> Pairs:
        """Rows first .. first + count - 1 of the whole training."""
        reference = self._reference[torch.from_numpy(self.numbers(first, count=count))]
        packed = self.feed.take(first, count=count)
        return Pairs(packed, reference.to(packed.ids.device), len(packed) // count)


def pair_material(
    objective: PairsConfig, context: Context, *, adaptable: Adaptable, splits: Splits, codec: Any
) -> Material:
    """Pairs to train on and to look at.

    Raises:
        DataError: there are none, or a line of the file is no pair.
    """
    if objective.pairs is None:
        found = {
            name: list(_made(split.kept, objective, context, adaptable=adaptable, codec=codec))
            for name, split in splits.items()
        }
    else:
        read = list(_read(objective, context))
        held_out = int(objective.held_out * len(read))
        found = {"train": read[: len(read) - held_out], "validation": read[len(read) - held_out :]}
    context.progress.say(f"  {len(found['train'])} pairs to learn from")
    tuning = _tuning(objective, adaptable)
    feeds = {
        name: _feed(pairs, tuning, context, codec=codec, shuffle=name == "train", adaptable=adaptable)
        for name, pairs in found.items()
        if pairs or name == "train"
    }
    longest = int(feeds["train"].sequences.sizes.max())
    return Material(tuning, feeds["train"], feeds.get("validation"), "pair", row_tokens=tuning.per_row * longest)


def _tuning(objective: PairsConfig, adaptable: Adaptable) -> PreferenceTuning | OddsTuning | GoodOrBadTuning:
    if isinstance(objective, DpoConfig):
        return PreferenceTuning(adaptable.net, beta=objective.beta)
    if isinstance(objective, KtoConfig):
        return GoodOrBadTuning(adaptable.net, beta=objective.beta, bad=objective.bad)
    assert isinstance(objective, OrpoConfig)
    return OddsTuning(adaptable.net, weight=objective.weight)


def _feed(
    pairs: Sequence[Preference],
    tuning: PreferenceTuning | OddsTuning | GoodOrBadTuning,
    context: Context,
    *,
    codec: Any,
    shuffle: bool,
    adaptable: Adaptable,
) -> PairFeed:
    longest = adaptable.family.shape.context_tokens + 1
    items: list[tuple[Sequence[int], int]] = []
    for place, pair in enumerate(pairs):
        # The third is an answer to another question, for what needs one.
        answers = (pair.chosen, pair.rejected, pairs[(place + 1) % len(pairs)].chosen)[: tuning.per_row]
        row = [_encoded(pair.question, text, codec) for text in answers]
        if all(len(tokens) <= longest for tokens, _ in row):
            items += row
    sequences, seed = Sequences.of(items), context.seed_for("rows")
    feed = PackedFeed(sequences, seed=seed, device=context.device, shuffle=shuffle, in_row=tuning.per_row)
    return PairFeed(feed, reference=_worth(sequences, tuning, context))


def _encoded(question: Messages, text: str, codec: Any) -> tuple[Sequence[int], int]:
    before, answer = codec.encode_answered([*question, {"role": "assistant", "content": text}])
    return (*before, *answer), len(before)


@torch.no_grad()
def _worth(sequences: Sequences, tuning: Tuning, context: Context) -> torch.Tensor:
    """The log-probability of each sequence's learned tokens before training."""
    tuning.eval()
    rows = PackedFeed(sequences, seed=0, device=context.device, shuffle=False)
    found = []
    for at in range(0, len(rows), ROWS_AT_ONCE):
        packed = rows.take(at, count=min(ROWS_AT_ONCE, len(rows) - at))
        found.append(per_sequence(tuning.target_log_prob(packed), packed).cpu())
    return torch.cat(found)


def _read(objective: PairsConfig, context: Context) -> Iterator[Preference]:
    path = pairs_file(objective, context.root)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            question = [{"role": str(one["role"]), "content": str(one["content"])} for one in row["messages"]]
            chosen, rejected = row["chosen"], row["rejected"]
            if not (question and isinstance(chosen, str) and isinstance(rejected, str)):
                raise TypeError("chosen and rejected are texts, and messages a list that is not empty")
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{objective.pairs}:{number} is no pair ({type(error).__name__}: {error})",
                hint='a line is {"messages": [{"role": "user", "content": "..."}], "chosen": "...", "rejected": "..."}',
            ) from None
        yield Preference(question, chosen, rejected)


def _made(
    samples: Sequence[Sample], objective: PairsConfig, context: Context, *, adaptable: Adaptable, codec: Any
) -> Iterator[Preference]:
    """One pair of each question that has a right and a wrong answer."""
    stops = frozenset({codec.eos_id, *codec.stop_ids})
    context_tokens = adaptable.family.shape.context_tokens
    drawing = Drawing(objective.draws, objective.max_tokens, objective.temperature, stops, context_tokens)
    with context.progress.task("answers to verify", total=len(samples)) as task:
        for sample in samples:
            task.advance(1)
            question = sample.tokens[: sample.num_given]
            seeds = [derive_seed(context.seed_for("answers"), f"{sample.id} {n}") for n in range(objective.draws)]
            (drawn,) = draw_answers(adaptable.net, drawing, questions=[question], seeds=seeds)
            texts = [str(sample.messages[-1]["content"]), *codec.decode(drawn)]
            right = verify(objective.verifier, messages=sample.messages, answers=texts)
            good = [text for text, one in zip(texts, right, strict=True) if one]
            bad = [text for text, one in zip(texts[1:], right[1:], strict=True) if not one]
            if good and bad:
                yield Preference(sample.messages[:-1], good[0], bad[0])
