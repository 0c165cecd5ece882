"""Questions with what was found for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from genwright.core import Context, Interrupted
from genwright.modalities.document.questions import HALVES, Half, read_unanswerable
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files
from genwright.systems.grounded.extract import Candidate
from genwright.systems.retrieval.passage import Retrieved, Span
from genwright.systems.retrieval.questions import Question

AT_ONCE = 64
ELSEWHERE = "elsewhere"
"""The origin of questions that no document answers."""


@dataclass(frozen=True)
class Asked:
    """A question, its passages and their sentences. `removed` says that the answer's passages were left out.

    `seconds` is what that took, by part.
    """

    question: Question
    retrieved: Retrieved
    candidates: Sequence[Candidate]
    removed: bool
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Whether the documents answer it: `answerable`, `removed` or `elsewhere`."""
        if self.question.origin == ELSEWHERE:
            return ELSEWHERE
        return "removed" if self.removed else "answerable"


def elsewhere(paths: Sequence[str], root: Path, /) -> dict[Half, list[Question]]:
    """The questions that no document answers, by half; each is a group by itself.

    Raises:
        DataError: a file cannot be read, or a line is no question.
    """
    files = [file.path for path in paths for file in list_files(FilesConfig(path=path), root=root)]
    found: dict[Half, list[Question]] = {half: [] for half in HALVES}
    for path in files:
        for number, (text, half) in enumerate(read_unanswerable(path), 1):
            name = f"{path.stem}-{number}"
            found[half].append(Question(name, text, f"{ELSEWHERE}:{name}", (), origin=ELSEWHERE, half=half))
    return found


def ask(questions: Sequence[Question], system: Any, context: Context, /, *, removed: bool) -> list[Asked]:
    """What the system finds for each; with `removed`, as if the sections that answer were not there, if any are.

    Raises:
        Interrupted: the user stopped the work.
    """
    k = system.grounding.answering.passages
    done: list[Asked] = []
    title = f"search {len(questions):,} questions" + (" without their answers" if removed else "")
    with context.progress.task(title, total=len(questions)) as task:
        for at in range(0, len(questions), AT_ONCE):
            if context.should_stop():
                raise Interrupted("stopped while asking", hint="run again: this stage starts over")
            part = questions[at : at + AT_ONCE]
            found = system.index.search_many(
                [one.text for one in part], k=k, exclude=[_sections(one, system) if removed else () for one in part]
            )
            for question, retrieved in zip(part, found, strict=True):
                started = perf_counter()
                candidates = system.candidates(retrieved)
                seconds = {**retrieved.seconds, "sentences": perf_counter() - started}
                done.append(Asked(question, retrieved, candidates, removed, seconds))
            task.advance(len(part))
    return done


def one_by_one(asked: Sequence[Asked], context: Context, /) -> Iterator[Asked]:
    """Each in turn, with progress.

    Raises:
        Interrupted: the user stopped the work.
    """
    with context.progress.task(f"answer {len(asked):,} questions", total=len(asked)) as task:
        for one in asked:
            if context.should_stop():
                raise Interrupted("stopped while answering", hint="run again: this stage starts over")
            yield one
            task.advance()


def _sections(question: Question, system: Any) -> list[Span]:
    """The sections that hold an answer: what stands beside it there often says half of it."""
    found = []
    for name, start, end in question.spans:
        blocks = system.blocks(name)
        within = {block.section for block in blocks if block.start < end and start < block.end}
        held = [block for block in blocks if block.section in within]
        found.append((name, min(block.start for block in held), max(block.end for block in held)))
    return found
