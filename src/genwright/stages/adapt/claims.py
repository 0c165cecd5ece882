"""What the log and the samples say of an adaptation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.stages.adapt.material import Material
from genwright.stages.adapt.samples import TOO_LONG, Split
from genwright.trainer import log
from genwright.trainer.loop import Outcome

Columns = dict[str, list[Any]]


def logged_columns(outcome: Outcome, *, feed: Any, batch_rows: int, num_parameters: int, num_trainable: int) -> Columns:
    """The training log with the tokens of each interval: those that were read, and those of them that were learned."""
    columns: Columns = dict(log.log_columns(outcome, num_parameters=num_parameters))
    before = [0, *(row.step for row in outcome.log[:-1])]
    taken = [
        feed.numbers(start * batch_rows, count=(row.step - start) * batch_rows)
        for row, start in zip(outcome.log, before, strict=True)
    ]
    sequences = feed.sequences
    columns["interval_tokens"] = [int((sequences.sizes[numbers] - 1).sum()) for numbers in taken]
    columns["interval_learned_tokens"] = [int(sequences.num_learned[numbers].sum()) for numbers in taken]
    columns["num_trainable"] = [num_trainable for _ in outcome.log]
    return columns


def sample_columns(splits: Mapping[str, Split], /) -> Columns:
    """A row per sample: how long it is, how much of it is learned, and why it was left out where it was."""
    rows = [
        (sample.id, sample.group, name, len(sample.tokens), len(sample.tokens) - max(sample.num_given, 1), reason)
        for name, split in splits.items()
        for samples, reason in ((split.kept, None), (split.dropped, TOO_LONG))
        for sample in samples
    ]
    names = ("id", "group", "split", "tokens", "learned_tokens", "dropped")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def adapt_claims(material: Material, *, validated: bool) -> list[ClaimDraft]:
    """Trainable parameters, loss, how many samples were left out, and where answers are given, tokens and speed."""
    left_out = Derivation("count", {}, where={"split": "train", "dropped": TOO_LONG})
    drafts = [
        *log.claims(validated=validated, unit="sample", loss_unit=material.loss_unit),
        _draft("trainable_parameters", "parameters", Derivation("max", {"value": "num_trainable"})),
        ClaimDraft("model", "samples_too_long", "samples", "adapt_samples", left_out, data="dataset", better="lower"),
    ]
    if material.loss_unit == "question":  # answers are drawn while training
        return drafts
    rate = Derivation("ratio", {"numerator": "interval_tokens", "denominator": "step_cpu_seconds"})
    return [
        *drafts,
        _draft("training_tokens", "tokens", Derivation("sum", {"value": "interval_tokens"})),
        _draft("learned_tokens", "tokens", Derivation("sum", {"value": "interval_learned_tokens"})),
        _draft("tokens_per_cpu_second", "tokens/s", rate, better="higher"),
    ]


def _draft(metric: str, unit: str, derivation: Derivation, **more: Any) -> ClaimDraft:
    return ClaimDraft("model", metric, unit, "training_log", derivation, **more)
