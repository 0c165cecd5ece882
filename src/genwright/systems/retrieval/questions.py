"""Questions on an index, each with every place that answers it: an artifact of its own. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from genwright.core import IntegrityError
from genwright.core.digest import canonical_json
from genwright.modalities.document.questions import Half
from genwright.systems.retrieval.passage import Passage, Span

NAME = "questions.jsonl"
LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class Question:
    """A question, and the spans that answer it, each by itself: those of its own document and every copy elsewhere.

    `facts` are short strings of a right answer. `origin` says how it came to be (`hand`, or of what it was made).
    Everything is chosen on the half `development` and measured on the half `test`.
    """

    id: str
    text: str
    document: str
    spans: tuple[Span, ...]
    facts: tuple[str, ...] = ()
    origin: str = "hand"
    half: Half = "test"


def write_questions(folder: Path, questions: Iterable[Question], /) -> None:
    """Writes `questions.jsonl`, sorted by id."""
    lines = [canonical_json(asdict(one)) + b"\n" for one in sorted(questions, key=lambda one: one.id)]
    (folder / NAME).write_bytes(b"".join(lines))


def read_questions(folder: Path, /) -> list[Question]:
    """The questions of an artifact, by id.

    Raises:
        IntegrityError: it cannot be read.
    """
    try:
        rows = [json.loads(line) for line in (folder / NAME).read_bytes().splitlines()]
        return [
            Question(**{**row, "spans": tuple(tuple(span) for span in row["spans"]), "facts": tuple(row["facts"])})
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{folder / NAME} cannot be read: {error}", hint="genwright verify") from None


def answers(passage: Passage, question: Question, /) -> bool:
    """Whether a passage holds at least half of a span that answers, or lies at least half in it where that is long."""
    return any(
        name == passage.document
        and min(end, passage.end) - max(start, passage.start)
        >= LEAST_OVERLAP * min(end - start, passage.end - passage.start)
        for name, start, end in question.spans
    )
