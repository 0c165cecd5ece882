"""The samples of a split as token sequences: what is given of each, what is learned, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.core import Context
from genwright.modalities.dataset import num_rows, read_tables
from genwright.trainer.packed import Sequences

TOO_LONG = "too-long"


@dataclass(frozen=True)
class Sample:
    """One sample: its tokens, how many of them are given, and the chat where it is one."""

    id: str
    group: str
    tokens: Sequence[int]
    num_given: int
    messages: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Split:
    """What can be learned from a split, which samples that is, and those that were left out.

    A chat is one sequence, a long text several.
    """

    sequences: Sequences
    kept: Sequence[Sample]
    dropped: Sequence[Sample]


def read_samples(codec: Any, context: Context, *, split: str) -> Iterator[Sample]:
    """Every sample of a split: a chat is given up to its answer, a text stands between the codec's marks.

    Raises:
        CapabilityError: chats, and the model has no chat template.
        DataError: the template does not take a chat.
    """
    folder = context.inputs["dataset"].path
    with context.progress.task(f"tokenise {split}", total=num_rows(folder, split=split)) as task:
        for table in read_tables(folder, split=split):
            for row in table.to_pylist():
                yield _sample(row, codec)
            task.advance(len(table))


def _sample(row: dict[str, Any], codec: Any) -> Sample:
    if "messages" in row:
        question, answer = codec.encode_answered(row["messages"])
        return Sample(row["id"], row["group"], (*question, *answer), len(question), row["messages"])
    ids = [int(token) for token in codec.encode([row["text"]])[0]]
    return Sample(row["id"], row["group"], (codec.bos_id, *ids, codec.eos_id), 1)


def encode_split(
    codec: Any, context: Context, *, split: str, context_tokens: int, truncate: bool, most: int | None = None
) -> Split | None:
    """The first `most` samples of a split that fit the context; None where none does, or there is none.

    A text is cut into stretches that share one token; of a chat that is too long the end of the answer is cut off with
    `truncate`, and without it, or where the question alone is too long, the chat is left out.
    """
    items: list[tuple[Sequence[int], int]] = []
    kept: list[Sample] = []
    dropped: list[Sample] = []
    for sample in read_samples(codec, context, split=split):
        if most is not None and len(kept) >= most:
            break
        parts = list(_fitting(sample, context_tokens=context_tokens, truncate=truncate))
        if not parts:
            dropped.append(sample)
            continue
        kept.append(sample)
        items += parts
    return Split(Sequences.of(items), kept, dropped) if items else None


def _fitting(sample: Sample, *, context_tokens: int, truncate: bool) -> Iterator[tuple[Sequence[int], int]]:
    longest = context_tokens + 1  # the last token is predicted, not read
    if len(sample.tokens) <= longest:
        yield sample.tokens, sample.num_given
    elif sample.num_given <= 1:
        for start in range(0, len(sample.tokens) - 1, context_tokens):
            yield sample.tokens[start : start + longest], 1
    elif truncate and sample.num_given < longest:
        yield sample.tokens[:longest], sample.num_given
