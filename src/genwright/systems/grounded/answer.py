"""What a grounded system gives back. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from genwright.systems.retrieval.passage import Passage

Mode = Literal["extractive", "generated", "abstained"]


@dataclass(frozen=True)
class Citation:
    """Where a sentence stands: the text of `document` from `start` to `end` is `quote`, to the character.

    `source` is the place of the passage among the answer's sources, from 1 on: what `[1]` points at.
    """

    source: int
    document: str
    title: str
    start: int
    end: int
    quote: str
    url: str = ""


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer, what it stands on, and how far that supports it (0 to 1, calibrated).

    Of a sentence of the documents, the text is the quote without its line breaks.
    """

    text: str
    citations: tuple[Citation, ...]
    support: float

    @property
    def numbers(self) -> list[int]:
        """The places of its sources, in order."""
        return sorted({cited.source for cited in self.citations})


@dataclass(frozen=True)
class GroundedAnswer:
    """An answer with its evidence.

    `question` is what was searched for: the last message, rewritten where it leans on earlier ones. `sentences` are
    shown, `dropped` were made and not supported. `confidence` is how likely the answer's passage was found
    (calibrated); below the system's threshold the mode is `abstained` and there are no sentences. `note` says what a
    reader has to know besides (a part of the search that did not answer). `seconds` is wall time by part.
    """

    question: str
    mode: Mode
    sentences: tuple[Sentence, ...]
    sources: tuple[Passage, ...]
    confidence: float
    dropped: tuple[Sentence, ...] = ()
    note: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    num_prompt_tokens: int = 0
    num_tokens: int = 0

    @property
    def text(self) -> str:
        """The sentences, each with the numbers of its sources."""
        return ABSTAINED if self.mode == "abstained" else "".join(marked(self.sentences))


def marked(sentences: Iterable[Sentence], /) -> Iterator[str]:
    """Each sentence with the numbers of its sources and the gap to the one before it; together they are the answer."""
    before = None
    for one in sentences:
        yield gap(before, one) + one.text + "".join(f" [{number}]" for number in one.numbers)
        before = one


def gap(before: Sentence | None, after: Sentence, /) -> str:
    """What stands between two sentences: a paragraph's end where one of them has lines of its own."""
    if before is None:
        return ""
    return "\n\n" if "\n" in before.text + after.text else " "


ABSTAINED = "I did not find an answer to this in the documents."


@dataclass(frozen=True)
class Found:
    """The search is done: these are the sources."""

    sources: tuple[Passage, ...]


Event = Found | Sentence | GroundedAnswer
"""What `GroundedSystem.ask_stream` yields: `Found` first, sentences as they pass the check, the whole answer last."""
